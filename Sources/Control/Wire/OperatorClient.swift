import Model
package import Platform

/// An operator's side of the coordinator's interface: a bearer token over TLS, JSON both ways.
package struct OperatorClient: Sendable {
    private let exchange: Exchange
    private let headers: [(String, String)]

    /// - Parameters:
    ///   - coordinator: `https://host:port` of the operators' listener.
    ///   - authority: the authority's certificate, PEM; no other is trusted.
    package init(coordinator: String, authority: String, token: String) throws(Failure) {
        let printable = token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        guard !token.isEmpty, token.utf8.count <= 500, printable else {
            throw Failure(.usage, "The operator's token is empty or not one word")
        }
        exchange = try Exchange(coordinator, tls: try TLSIdentity.clientConfiguration(trustingPEM: authority))
        headers = [("authorization", "Bearer \(token)")]
    }

    package var location: String { exchange.location }

    /// - Parameters:
    ///   - query: percent-encoded here.
    ///   - patience: how long the server is asked to hold the answer, in seconds.
    package func get<Reply: Decodable>(
        _ type: Reply.Type, _ path: String, query: [(String, String)] = [], patience: Int64 = 0
    ) async throws(Failure) -> Reply {
        try await exchange.json(
            Exchange.Call(
                .get, path + Self.text(query), headers: headers, limit: 16 << 20, seconds: patience + 30))
    }

    package func post<Reply: Decodable>(
        _ type: Reply.Type, _ path: String, _ message: some Encodable & Sendable
    ) async throws(Failure) -> Reply {
        try await exchange.post(path, message, headers: headers)
    }

    /// A post that says all it has to say by its address.
    package func post<Reply: Decodable>(_ type: Reply.Type, _ path: String) async throws(Failure) -> Reply {
        try await exchange.json(Exchange.Call(.post, path, headers: headers, body: [], limit: CanonicalJSON.longest))
    }

    package func close() async { await exchange.close() }

    static func text(_ query: [(String, String)]) -> String {
        query.isEmpty ? "" : "?" + query.map { "\(encode($0))=\(encode($1))" }.joined(separator: "&")
    }

    /// RFC 3986: all but unreserved bytes.
    private static func encode(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(Character(UnicodeScalar(byte)))
            default: out += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return out
    }
}
