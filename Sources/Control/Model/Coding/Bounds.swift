package import Platform

/// What a text or a list from outside may measure. Longer ones are refused before they reach a table or a screen.
package enum Bounds {
    package static let title = 200
    package static let words = 2000
    package static let path = 4096
    package static let list = 1000
    package static let certificate = 16 << 10

    package static func text(_ text: String, _ what: String, atMost limit: Int) throws(Failure) {
        guard text.utf8.count <= limit else { throw Failure(.usage, "\(what) is longer than \(limit) bytes") }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" && $0 != "\t" }) else {
            throw Failure(.usage, "\(what) has control characters in it")
        }
    }

    /// PEM has line ends of its own.
    package static func pem(_ text: String, _ what: String) throws(Failure) {
        guard text.utf8.count <= certificate else {
            throw Failure(.usage, "\(what) is longer than \(certificate) bytes")
        }
    }

    /// An absolute path without `..`: agents act on what they are told, so they are told nothing that wanders.
    package static func absolutePath(_ path: String, _ what: String) throws(Failure) {
        guard path.utf8.count <= Self.path, path.hasPrefix("/"), !path.utf8.contains(0),
            !path.split(separator: "/").contains("..")
        else {
            throw Failure(
                .usage, "\(what) \"\(path.prefix(120))\" is not an absolute path", advice: "Write it from / on")
        }
    }

    package static func list(_ count: Int, _ what: String, atMost limit: Int = list) throws(Failure) {
        guard count <= limit else { throw Failure(.usage, "\(what): \(count) are more than the \(limit) allowed") }
    }

    package static func key(_ octets: Octets, _ what: String) throws(Failure) {
        guard octets.bytes.count == 32 else { throw Failure(.usage, "\(what) is not a key of 32 bytes") }
    }

    package static func hexadecimal(_ text: String, _ what: String, bytes: ClosedRange<Int>) throws(Failure) {
        guard let decoded = Hex.decode(text), bytes.contains(decoded.count) else {
            throw Failure(.usage, "\(what) \"\(text.prefix(80))\" is not an id in lower-case hexadecimal")
        }
    }
}

/// What comes from outside and is checked before anybody looks at it. `check` is called by whoever decodes.
package protocol Checked: Sendable {
    /// - Throws: `.usage` with the field that is wrong.
    func check() throws(Failure)
}
