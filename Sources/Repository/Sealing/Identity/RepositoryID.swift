package import Platform

/// Which repository: `SHA-256(label, root public key, nonce)`. Whoever holds it can check every signature below it.
package struct RepositoryID: Hashable, Sendable, CustomStringConvertible {
    package let digest: Digest
    package init(digest: Digest) { self.digest = digest }
    package init(root: VerifyingKey, nonce: [UInt8]) {
        digest = SHA256.hash(Array("breakwater repository v1".utf8) + [0] + root.bytes + nonce)
    }
    package var description: String { digest.hex }
}
