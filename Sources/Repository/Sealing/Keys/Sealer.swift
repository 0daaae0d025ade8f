package import Platform

/// One-shot sealing of small whole objects under a key that is used once.
extension AESGCM {
    package static func seal(_ plaintext: [UInt8], key: [UInt8], associated: [UInt8]) -> [UInt8] {
        let cipher = AESGCM(key: key)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + tagByteCount)
        unsafe sealed.withUnsafeMutableBytes { target in
            unsafe plaintext.withUnsafeBytes { source in
                unsafe cipher.seal(source, nonce: 0, associated: associated, into: target)
            }
        }
        return sealed
    }

    /// - Throws: `.damaged` when it does not open.
    package static func open(_ sealed: [UInt8], key: [UInt8], associated: [UInt8]) throws(Failure) -> [UInt8] {
        guard sealed.count >= tagByteCount else { throw Failure(.damaged, "a sealed object is too short") }
        return try unsafe sealed.withUnsafeBytes { buffer in
            AESGCM.result { () throws(Failure) in try unsafe open(buffer, key: key, nonce: 0, associated: associated) }
        }.get()
    }

    /// The plaintext of a sealed buffer.
    /// - Throws: `.damaged` when it does not open.
    package static func open(
        _ sealed: UnsafeRawBufferPointer, key: [UInt8], nonce: UInt64, associated: [UInt8]
    ) throws(Failure) -> [UInt8] {
        guard sealed.count >= tagByteCount else { throw Failure(.damaged, "a sealed piece is too short") }
        let cipher = AESGCM(key: key)
        let count = sealed.count - tagByteCount
        var problem: Failure?
        let plaintext = unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
            do throws(Failure) {
                try unsafe cipher.open(
                    sealed, nonce: nonce, associated: associated,
                    into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(target)[..<count]))
                initialized = count
            } catch { problem = error }
        }
        if let problem { throw problem }
        return plaintext
    }

    private static func result(_ body: () throws(Failure) -> [UInt8]) -> Result<[UInt8], Failure> {
        do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }
}
