internal import CBoundaryScan

/// The rolling hash behind content-defined chunking, over windows of 64 bytes, at the rate of the C kernel.
/// `CBoundaryScan.h` defines the hash.
package struct GearHash: Sendable {
    package static let window = boundary_window

    private let table: [UInt64]

    /// One word for each value of a byte; who does not know them cannot tell where boundaries fall.
    package init(table: [UInt64]) {
        precondition(table.count == 256)
        self.table = table
    }

    /// The smallest `n` in `range` for which the hash of the `window` bytes before `n` is below `threshold`; nil when
    /// there is none. The range begins at `window` or later and ends at `bytes.count` or earlier.
    package func firstBoundary(
        in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, below threshold: UInt64
    ) -> Int? {
        precondition(range.lowerBound >= Self.window && range.upperBound <= bytes.count)
        let found = unsafe boundary_scan(
            table, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), range.lowerBound, range.upperBound, threshold
        )
        return found < range.upperBound ? found : nil
    }
}
