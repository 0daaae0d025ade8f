internal import Platform

/// Where to cut content into chunks, decided by the content itself, so that an insertion moves the cuts around it and
/// leaves all others where they were.
///
/// 1. Gear hash over the last 64 bytes, with a table that only holders of the boundary key know: the lengths of
///    chunks then say less about which known file they come from. Word i of the table is bytes 8i ..< 8i + 8,
///    big-endian, of HKDF-SHA-256(key, no salt, "breakwater gear table 1"), 2,048 bytes.
/// 2. Normalised chunking (Xia et al., "FastCDC", USENIX ATC 2016 and TPDS 2020, level 2): a place before `average`
///    becomes a cut with probability 1 / (4 x average), one from there on with probability 4 / average, so that lengths
///    gather around the average. A cut stands at the first n >= `minimum` whose hash is below the threshold
///    floor((2^64 - 1) / (4 x average)) + 1, or floor((2^64 - 1) / average) x 4 + 4 from `average` on, else at
///    `maximum`, else at the end of the content.
///
/// Unlike in the paper the hash sees the 64 bytes before a place however the chunk began, so where a place may be cut
/// depends on those bytes alone; that is what lets the kernel work on four stretches at once.
package struct BoundaryScanner: Sendable {
    package static let keyByteCount = 32
    static let window = GearHash.window

    package let parameters: CutParameters
    private let hash: GearHash
    private let reluctant: UInt64
    private let eager: UInt64

    package init(key: [UInt8], parameters: CutParameters = CutParameters()) {
        precondition(key.count == Self.keyByteCount && parameters.areSound)
        self.parameters = parameters
        hash = GearHash(table: Self.table(key))
        let average = UInt64(parameters.average)
        reluctant = UInt64.max / (4 * average) + 1
        eager = UInt64.max / average * 4 + 4
    }

    /// The length of the first chunk of `bytes`, or nil when more bytes are needed to decide (or there are none).
    ///
    /// The answer depends on the content alone, not on how much of it is at hand. Hand over at least `maximum` bytes
    /// unless the content ends before: whatever is scanned in vain is scanned again.
    package func cut(_ bytes: UnsafeRawBufferPointer, atEnd: Bool) -> Int? {
        let end = min(bytes.count, parameters.maximum)
        if end > parameters.minimum {
            let middle = min(parameters.average, end)
            if let place = unsafe hash.firstBoundary(in: bytes, parameters.minimum..<middle, below: reluctant) {
                return place
            }
            if let place = unsafe hash.firstBoundary(in: bytes, middle..<end, below: eager) { return place }
        }
        if end == parameters.maximum { return end }
        return atEnd && end > 0 ? end : nil
    }

    private static func table(_ key: [UInt8]) -> [UInt64] {
        let bytes = HKDF.derive(key: key, salt: [], info: Array("breakwater gear table 1".utf8), count: 8 * 256)
        return (0..<256).map { index in
            bytes[8 * index..<8 * index + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
