package import Platform

/// What a chunk is called: `HMAC-SHA-256(idKey, SHA-256(plaintext))`. The inner hash serves every key domain that a
/// desktop looks things up in; the outer one keeps the name from telling whose file it is.
package struct ChunkID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let digest: Digest
    package init(_ digest: Digest) { self.digest = digest }

    /// Zero bytes, however many: nothing is stored for them.
    package static let hole = ChunkID(.zero)

    package static func < (left: ChunkID, right: ChunkID) -> Bool { left.digest < right.digest }
    package var description: String { digest.hex }
}
