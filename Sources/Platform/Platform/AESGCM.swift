internal import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) under one key, from buffer to buffer. Cipher and key schedule are set up once, so a
/// message costs its bytes and little more.
///
/// Not `Sendable`: the contexts are in use during a call. One thread at a time, or one instance a thread.
@safe package final class AESGCM {
    package static let keyByteCount = 32
    package static let tagByteCount = 16

    /// Looked up once for the life of the process: a look-up takes locks and walks the providers.
    private static nonisolated(unsafe) let cipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)

    private let sealing: OpaquePointer
    private let opening: OpaquePointer
    private let noncePrefix: UInt32

    /// Every nonce is `noncePrefix` and then the message's number, both big-endian.
    package init(key: [UInt8], noncePrefix: UInt32 = 0) {
        precondition(key.count == Self.keyByteCount)
        self.noncePrefix = noncePrefix
        guard let cipher = unsafe Self.cipher, let sealing = unsafe EVP_CIPHER_CTX_new(),
            let opening = unsafe EVP_CIPHER_CTX_new()
        else { preconditionFailure("libcrypto offers no AES-256-GCM, or memory is exhausted") }
        unsafe self.sealing = sealing
        unsafe self.opening = opening
        unsafe Self.check(EVP_EncryptInit_ex2(sealing, cipher, key, nil, nil))
        unsafe Self.check(EVP_DecryptInit_ex2(opening, cipher, key, nil, nil))
    }

    deinit {
        // Frees and overwrites the key schedules.
        unsafe EVP_CIPHER_CTX_free(sealing)
        unsafe EVP_CIPHER_CTX_free(opening)
    }

    /// Writes the ciphertext and then its 16-byte tag. `destination` has room for exactly both; it may begin where
    /// `plain` begins, and must not overlap it otherwise. No nonce may be used twice under a key.
    package func seal(
        _ plain: UnsafeRawBufferPointer, nonce: UInt64, associated: [UInt8],
        into destination: UnsafeMutableRawBufferPointer
    ) {
        precondition(destination.count == plain.count + Self.tagByteCount)
        guard let out = destination.baseAddress else { return }
        var nonceBytes = nonceBytes(nonce)
        unsafe withUnsafeBytes(of: &nonceBytes) {
            unsafe Self.check(
                EVP_EncryptInit_ex2(sealing, nil, nil, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), nil))
        }
        var written: Int32 = 0
        if !associated.isEmpty {
            unsafe Self.check(EVP_EncryptUpdate(sealing, nil, &written, associated, Int32(associated.count)))
        }
        Self.inPieces(plain.count) { offset, count in
            unsafe EVP_EncryptUpdate(
                sealing, (out + offset).assumingMemoryBound(to: UInt8.self), &written,
                (plain.baseAddress.unsafelyUnwrapped + offset).assumingMemoryBound(to: UInt8.self), count)
        }
        let tag = unsafe out + plain.count
        unsafe Self.check(EVP_EncryptFinal_ex(sealing, tag.assumingMemoryBound(to: UInt8.self), &written))
        unsafe Self.check(
            EVP_CIPHER_CTX_ctrl(sealing, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagByteCount), tag))
    }

    /// Writes the plaintext of `sealed` (ciphertext and tag) to `destination`, which has room for exactly it and may
    /// begin where `sealed` begins. Throws `.damaged` when anything about the message is not as it was sealed, and
    /// then leaves zeros: nothing that is not authentic comes out.
    package func open(
        _ sealed: UnsafeRawBufferPointer, nonce: UInt64, associated: [UInt8],
        into destination: UnsafeMutableRawBufferPointer
    ) throws(Failure) {
        guard sealed.count >= Self.tagByteCount, let source = sealed.baseAddress else {
            throw Failure(.damaged, "sealed bytes are too few to hold their tag")
        }
        let count = sealed.count - Self.tagByteCount
        precondition(destination.count == count)
        var tag = unsafe sealed.loadUnaligned(fromByteOffset: count, as: SIMD16<UInt8>.self)
        var nonceBytes = nonceBytes(nonce)
        unsafe withUnsafeBytes(of: &nonceBytes) {
            unsafe Self.check(
                EVP_DecryptInit_ex2(opening, nil, nil, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), nil))
        }
        unsafe Self.check(EVP_CIPHER_CTX_ctrl(opening, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagByteCount), &tag))
        var written: Int32 = 0
        if !associated.isEmpty {
            unsafe Self.check(EVP_DecryptUpdate(opening, nil, &written, associated, Int32(associated.count)))
        }
        Self.inPieces(count) { offset, count in
            unsafe EVP_DecryptUpdate(
                opening, (destination.baseAddress.unsafelyUnwrapped + offset).assumingMemoryBound(to: UInt8.self),
                &written, (source + offset).assumingMemoryBound(to: UInt8.self), count)
        }
        var rest: UInt64 = 0
        let authentic = unsafe withUnsafeMutableBytes(of: &rest) {
            unsafe EVP_DecryptFinal_ex(opening, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), &written)
        }
        guard authentic == 1 else {
            ERR_clear_error()
            unsafe destination.initializeMemory(as: UInt8.self, repeating: 0)
            throw Failure(.damaged, "sealed bytes do not verify under their key")
        }
    }

    private func nonceBytes(_ number: UInt64) -> (UInt32, UInt32, UInt32) {
        (
            noncePrefix.bigEndian, UInt32(truncatingIfNeeded: number >> 32).bigEndian,
            UInt32(truncatingIfNeeded: number).bigEndian
        )
    }

    /// libcrypto counts in `Int32`; a piece is a whole number of cipher blocks.
    private static func inPieces(_ count: Int, _ body: (Int, Int32) -> Int32) {
        let piece = 1 << 30
        var offset = 0
        while offset < count {
            let length = min(piece, count - offset)
            check(body(offset, Int32(length)))
            offset += length
        }
    }

    /// Nothing the world sends makes these calls fail, only a misuse of libcrypto by this file.
    private static func check(_ result: Int32) { precondition(result == 1, "libcrypto refused an AES-GCM call") }
}
