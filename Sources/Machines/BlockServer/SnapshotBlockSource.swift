package import Platform
package import Repository
internal import Sealing

/// A disk of a snapshot. Every block is verified against its id before a byte of it is served.
package struct SnapshotBlockSource: BlockSource {
    private let disk: DiskReader
    /// How far one question about extents looks: 1 GiB.
    private static let mostBlocks: UInt64 = 16384

    package init(_ disk: DiskReader) { self.disk = disk }

    package var size: UInt64 { disk.size }

    package func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        unsafe try disk.read(at: offset, into: target)
    }

    package func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent] {
        let blockSize = UInt64(DiskRef.blockSize)
        var extents: [BlockExtent] = []
        var place = range.lowerBound
        let end = min(range.upperBound, (place / blockSize + Self.mostBlocks) * blockSize)
        while place < end {
            let block = place / blockSize
            let next = min((block + 1) * blockSize, end)
            extents.extend(by: next - place, isHole: try disk.block(block) == .hole)
            place = next
        }
        return extents
    }
}
