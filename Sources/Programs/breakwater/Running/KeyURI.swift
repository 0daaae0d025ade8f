import Glibc
import Platform

/// A key in a token as a URI (RFC 7512): `pkcs11:token=T;object=K?module-path=P&pin-source=file:/F`.
///
/// The PIN comes from a file: what stands in arguments is seen by everybody, so `pin-value` is refused.
struct KeyURI {
    private let parts: [String: String]
    private static let longestPIN = 1024

    /// - Throws: `.usage`.
    init(_ text: String) throws(Failure) {
        guard text.hasPrefix("pkcs11:") else { throw Self.malformed("it does not begin with pkcs11:") }
        var parts: [String: String] = [:]
        let halves = text.dropFirst("pkcs11:".count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let pairs = (halves.first ?? "").split(separator: ";") + (halves.dropFirst().first ?? "").split(separator: "&")
        for pair in pairs {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, let value = Self.decode(sides[1].utf8) else {
                throw Self.malformed("\(pair.prefix { $0 != "=" }) has no value")
            }
            guard sides[0] != "pin-value" else { throw Self.malformed("a PIN in an argument is seen by everybody") }
            parts[String(sides[0])] = value
        }
        self.parts = parts
    }

    /// The key, with the PIN read from its file.
    func key() throws(Failure) -> PKCS11Key {
        let source = try part("pin-source")
        let path = source.hasPrefix("file:") ? String(source.dropFirst("file:".count)) : source
        var pin = try Descriptor.open(Array(path.utf8), O_RDONLY).readSome(limit: Self.longestPIN)
        if pin.last == UInt8(ascii: "\n") { pin.removeLast() }
        guard !pin.isEmpty else { throw Failure(.refused, "the PIN's file \(path) is empty") }
        return PKCS11Key(
            module: try part("module-path"), token: try part("token"), label: try part("object"), pin: pin)
    }

    private func part(_ name: String) throws(Failure) -> String {
        guard let value = parts[name], !value.isEmpty, !value.utf8.contains(0) else {
            throw Self.malformed("\(name) is missing")
        }
        return value
    }

    private static func malformed(_ why: String) -> Failure {
        Failure(
            .usage, "the key's URI cannot be used: \(why)",
            advice: "Give pkcs11:token=TOKEN;object=KEY?module-path=MODULE&pin-source=file:/PINFILE.")
    }

    /// Percent-decoding (RFC 3986); nil where that is not followed by two digits, or gives no text.
    private static func decode(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let decoded = Hex.decode(String(decoding: rest.prefix(2), as: UTF8.self)), decoded.count == 1 else {
                return nil
            }
            bytes += decoded
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
