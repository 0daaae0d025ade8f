internal import Platform

/// The root's first statement: what makes the repository id, how content is cut, which features a program must know
/// before it touches anything, and the first reader key.
package struct Charter: Hashable, Sendable {
    package var root: VerifyingKey
    package var nonce: [UInt8]
    package var features: [String]
    package var cut: CutSizes
    package var blockSize: UInt32
    /// X25519 public key of reader generation 1.
    package var reader: [UInt8]

    /// Least, aimed-at and greatest length of a content-defined chunk, in bytes.
    package struct CutSizes: Hashable, Sendable {
        package var minimum: UInt32
        package var average: UInt32
        package var maximum: UInt32
        package init(minimum: UInt32, average: UInt32, maximum: UInt32) {
            self.minimum = minimum
            self.average = average
            self.maximum = maximum
        }
    }

    /// What this program knows; a repository that requires more is refused.
    package static let knownFeatures: Set<String> = ["breakwater-1", lean, reseal, stages]
    /// Commits without streams: what an unfinished session has stored so far.
    package static let stages = "stages"
    /// Records that name envelopes re-sealed to a newer reader generation.
    package static let reseal = "reseal"
    /// Disks whose nodes name chunks of another repository, on which the snapshot leans.
    package static let lean = "lean"
    package static let largestChunk = 4 << 20

    package init(
        root: VerifyingKey, nonce: [UInt8], features: [String], cut: CutSizes, blockSize: UInt32, reader: [UInt8]
    ) {
        self.root = root
        self.nonce = nonce
        self.features = features
        self.cut = cut
        self.blockSize = blockSize
        self.reader = reader
    }

    package var repository: RepositoryID { RepositoryID(root: root, nonce: nonce) }

    func encode(to encoder: inout CanonicalEncoder) {
        encoder.raw(root.bytes)
        encoder.raw(nonce)
        encoder.list(features) { $0.text($1) }
        encoder.number(UInt64(cut.minimum))
        encoder.number(UInt64(cut.average))
        encoder.number(UInt64(cut.maximum))
        encoder.number(UInt64(blockSize))
        encoder.raw(reader)
    }

    init(from decoder: inout CanonicalDecoder) throws(Failure) {
        root = VerifyingKey(bytes: try decoder.raw(VerifyingKey.byteCount))
        nonce = try decoder.raw(32)
        features = try decoder.list(atMost: 64) { (inner: inout CanonicalDecoder) throws(Failure) in
            try inner.text(atMost: 64)
        }
        cut = CutSizes(
            minimum: try decoder.number32(), average: try decoder.number32(), maximum: try decoder.number32())
        blockSize = try decoder.number32()
        reader = try decoder.raw(32)
        guard cut.minimum >= 256, cut.minimum <= cut.average, cut.average <= cut.maximum,
            cut.maximum <= UInt32(Self.largestChunk), blockSize == 65536
        else { throw decoder.malformed("cut sizes that cannot be") }
    }
}
