package import Platform

/// Where a server of S3 listens.
package struct S3Endpoint: Sendable, Equatable {
    package let scheme: String
    /// A name or an address (IPv6 in brackets), with `:port` unless it is the scheme's own.
    package let host: String

    /// `https://host[:port]`. Without TLS only on this machine itself: a session token would be read on the way.
    /// - Throws: `.usage` for what is no such address; `.refused` for plain HTTP over a network.
    package init(_ text: String) throws(Failure) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3 || (parts.count == 4 && parts[3].isEmpty), parts[1].isEmpty,
            parts[0] == "https:" || parts[0] == "http:", text.utf8.count <= 512,
            let (name, port) = Self.split(parts[2].lowercased())
        else {
            throw Failure(
                .usage, "\(text.prefix(512)) is no address of an S3 server",
                advice: "Write https://HOST or https://HOST:PORT")
        }
        scheme = String(parts[0].dropLast())
        let standard = scheme == "https" ? 443 : 80
        host = port.map { $0 == standard ? name : "\(name):\($0)" } ?? name
        let isHere = name == "localhost" || name.hasSuffix(".localhost") || name == "[::1]" || Self.isLoopback(name)
        guard scheme == "https" || isHere else {
            throw Failure(
                .refused, "\(text) is plain HTTP over a network",
                advice: "Nothing was sent. Use https, with ca= for a CA of your own")
        }
    }

    /// Whether the host is an address rather than a name: then buckets cannot stand before it.
    var isAddress: Bool { host.hasPrefix("[") || host.allSatisfy { $0.isNumber || $0 == "." || $0 == ":" } }

    private static func isLoopback(_ name: String) -> Bool {
        let numbers = name.split(separator: ".", omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }

    private static func split(_ text: String) -> (name: String, port: Int?)? {
        var (name, rest) = (text, "")
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            (name, rest) = (String(text[...end]), String(text[text.index(after: end)...]))
            guard name.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                return nil
            }
        } else {
            if let colon = text.firstIndex(of: ":") { (name, rest) = (String(text[..<colon]), String(text[colon...])) }
            guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else { return nil }
        }
        if rest.isEmpty { return (name, nil) }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (name, Int(port))
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }
}
