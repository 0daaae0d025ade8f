package import Platform

/// One-shot sealing of small whole objects under a key that is used once.
extension AESGCM {
    package static func seal(_ plaintext: [UInt8], key: [UInt8], associated: [UInt8]) throws(Failure) -> [UInt8] {
        let cipher = try AESGCM(key: key)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + 16)
        try unsafe sealed.withUnsafeMutableBytes { target throws(Failure) in
            try unsafe plaintext.withUnsafeBytes { source throws(Failure) in
                try unsafe cipher.seal(source, nonce: 0, associated: associated, into: target)
            }
        }
        return sealed
    }

    /// - Throws: `.damaged` when it does not open.
    package static func open(_ sealed: [UInt8], key: [UInt8], associated: [UInt8]) throws(Failure) -> [UInt8] {
        guard sealed.count >= 16 else { throw Failure(.damaged, "a sealed object is too short") }
        let cipher = try AESGCM(key: key)
        var plaintext = [UInt8](repeating: 0, count: sealed.count - 16)
        try unsafe plaintext.withUnsafeMutableBytes { target throws(Failure) in
            try unsafe sealed.withUnsafeBytes { source throws(Failure) in
                try unsafe cipher.open(source, nonce: 0, associated: associated, into: target)
            }
        }
        return plaintext
    }
}
