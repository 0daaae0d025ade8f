internal import COpenSSL

/// HMAC-SHA-256 (RFC 2104) under one key. The two pads are hashed once, so a digest is authenticated with two
/// compressions and without allocating; the prepared key is overwritten when it goes.
@safe package final class HMACKey: Sendable {
    private nonisolated(unsafe) let prepared: UnsafeMutablePointer<digest_key>

    package init(_ key: [UInt8]) {
        unsafe prepared = .allocate(capacity: 1)
        unsafe prepared.initialize(to: digest_key())
        unsafe key.withUnsafeBytes { unsafe digest_key_prepare(prepared, $0.baseAddress, $0.count) }
    }

    deinit {
        unsafe digest_key_erase(prepared)
        unsafe prepared.deallocate()
    }

    package func authenticate(_ bytes: UnsafeRawBufferPointer) -> Digest {
        unsafe Digest(digest_authenticate(prepared, bytes.baseAddress, bytes.count))
    }

    package func authenticate(_ bytes: [UInt8]) -> Digest {
        unsafe bytes.withUnsafeBytes { unsafe authenticate($0) }
    }

    package func authenticate(_ digest: Digest) -> Digest {
        unsafe Digest(digest_authenticate_words(prepared, digest.asResult))
    }
}
