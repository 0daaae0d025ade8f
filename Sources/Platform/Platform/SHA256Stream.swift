internal import COpenSSL

/// SHA-256 of bytes that come piece by piece. A copy goes its own way from where it was made.
package struct SHA256Stream: Sendable {
    private var state = SHA256_CTX()

    package init() { unsafe SHA256_Init(&state) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe SHA256_Update(&state, bytes.baseAddress, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// The digest of all that was fed in; the stream then begins anew.
    package mutating func finish() -> Digest {
        let digest = unsafe Digest(digest_finish(&state))
        unsafe SHA256_Init(&state)
        return digest
    }
}
