internal import COpenSSL

/// SHA-256 (FIPS 180-4) of bytes that are all at hand; allocates nothing.
package enum SHA256 {
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> Digest {
        unsafe Digest(digest_hash(bytes.baseAddress, bytes.count))
    }

    package static func hash(_ bytes: [UInt8]) -> Digest {
        unsafe bytes.withUnsafeBytes { unsafe hash($0) }
    }
}

extension Digest {
    init(_ result: digest_words) {
        self.init(words: (result.first, result.second, result.third, result.fourth))
    }

    var asResult: digest_words {
        digest_words(first: words.0, second: words.1, third: words.2, fourth: words.3)
    }
}
