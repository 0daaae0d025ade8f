internal import Crypto

/// The body of a request, borrowed for the time of a call, with the digests that hold the server to it: S3 verifies both.
@safe package struct Payload {
    /// Valid as long as the call that it was made for.
    package let bytes: UnsafeRawBufferPointer
    /// SHA-256 in hexadecimal, which the signature covers.
    let sha256: String
    /// MD5 in Base64, for `Content-MD5`.
    let md5: String

    static let emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    package init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
        var (strong, weak) = (SHA256(), Insecure.MD5())
        unsafe strong.update(bufferPointer: bytes)
        unsafe weak.update(bufferPointer: bytes)
        sha256 = RequestSigner.hex(strong.finalize())
        md5 = Base64.encode(Array(weak.finalize()))
    }

    var count: Int { unsafe bytes.count }
}

/// RFC 4648, section 4.
package enum Base64 {
    package static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = Array(bytes[start..<min(start + 3, bytes.count)])
            let word =
                UInt32(group[0]) << 16 | UInt32(group.count > 1 ? group[1] : 0) << 8
                | UInt32(group.count > 2 ? group[2] : 0)
            for place in 0..<4 {
                out.append(
                    place <= group.count ? alphabet[Int(word >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
