package import Platform

/// Where a server listens, as it stands in configurations: `https://host:port`, IPv6 addresses in brackets.
package struct ServerAddress: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(_ text: String) throws(Failure) {
        let wrong = Failure(
            .usage, "\"\(text.prefix(200))\" is not the address of a server", advice: "Write https://host:port")
        let scheme = "https://"
        guard text.hasPrefix(scheme) else { throw wrong }
        var rest = text.dropFirst(scheme.count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        try self.init(hostAndPort: String(rest), wrong)
    }

    /// `host:port`, as in listen addresses.
    package init(hostAndPort text: String) throws(Failure) {
        try self.init(
            hostAndPort: text,
            Failure(.usage, "\"\(text.prefix(200))\" is not an address to listen on", advice: "Write host:port"))
    }

    private init(hostAndPort text: String, _ wrong: Failure) throws(Failure) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw wrong
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard NetworkAddress.bytes(of: host)?.count == 16 else { throw wrong }
        } else if NetworkAddress.bytes(of: host) == nil {
            guard NetworkAddress.isHostName(host.lowercased()) else { throw wrong }
        }
        self.host = host
        self.port = Int(port)
    }

    package var description: String { "https://\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
