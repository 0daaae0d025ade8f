import ObjectStore
import Platform
import S3Store
import Support
import Testing

/// The transport against servers that misbehave.
@Suite struct CurlTests {
    private func exchange(
        _ transport: CurlTransport, _ server: WireServer, _ method: S3Call.Method, body: [UInt8]? = nil,
        capacity: Int = 64, once: Bool = false
    ) -> HTTPOutcome {
        let request = HTTPRequest(
            method: method, url: server.endpoint + "/k", headers: [("x-test", "1")], capacity: capacity, once: once)
        guard let body else { return transport.exchange(request, nil) }
        return body.withUnsafeBytes { transport.exchange(request, Payload($0)) }
    }

    private static func answer(_ status: Int, _ text: String = "", length: Int? = nil) -> [UInt8] {
        Array(
            "HTTP/1.1 \(status) X\r\nETag: \"e1\"\r\nContent-Length: \(length ?? text.utf8.count)\r\n\r\n\(text)".utf8)
    }

    private func answered(_ outcome: HTTPOutcome, at location: SourceLocation = #_sourceLocation) -> HTTPAnswer? {
        guard case .answered(let answer) = outcome else {
            Issue.record("\(outcome)", sourceLocation: location)
            return nil
        }
        return answer
    }

    @Test func aConnectionIsKeptBetweenRequests() throws {
        let server = try WireServer { _, _ in (Self.answer(200, "hello"), .keep) }
        let transport = CurlTransport(authority: nil)
        for _ in 0..<3 {
            let answer = try #require(answered(exchange(transport, server, .get)))
            #expect(answer.content == Array("hello".utf8) && answer.etag == "\"e1\"" && answer.announced == 5)
        }
        #expect(server.connections == 1)
        #expect(server.requests.first?.contains("x-test: 1\r\n") == true)
    }

    /// What the server left unread of the refused body would be taken for the next request.
    @Test func anEarlyRefusalCostsTheConnection() throws {
        let server = try WireServer { number, _ in
            (Self.answer(number == 0 ? 400 : 200, number == 0 ? "<Error><Code>Early</Code></Error>" : "fine"), .keep)
        }
        let transport = CurlTransport(authority: nil)
        let refused = try #require(
            answered(exchange(transport, server, .put, body: [1, 2, 3])))
        #expect(refused.status == 400 && ErrorAnswer(refused.problem).code == "Early")
        #expect(try #require(answered(exchange(transport, server, .get))).content == Array("fine".utf8))
        #expect(server.connections == 2)
        #expect(server.requests.map { $0.prefix(3) } == ["PUT", "GET"])
    }

    /// libcurl would send it again on a new connection and lose against itself, and nobody would know.
    @Test func aConditionalPutIsNeverSentTwiceInSilence() throws {
        let server = try WireServer { number, head in
            head.hasPrefix("PUT") && number == 1 ? nil : (Self.answer(200), .keep)
        }
        let transport = CurlTransport(authority: nil)
        _ = exchange(transport, server, .get)
        let outcome = exchange(transport, server, .put, body: [1, 2, 3], once: true)
        guard case .broken = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(server.requests.count { $0.hasPrefix("PUT") } == 1)
    }

    @Test func anAnswerIsBounded() throws {
        let long = String(repeating: "x", count: 1_000_000)
        let server = try WireServer { number, _ in (Self.answer(number == 0 ? 200 : 500, long), .close) }
        let transport = CurlTransport(authority: nil)
        guard case .tooLong = exchange(transport, server, .get, capacity: 100) else {
            Issue.record("a long answer was taken")
            return
        }
        let refused = try #require(answered(exchange(transport, server, .get)))
        #expect(refused.status == 500 && refused.problem.count == 16 << 10)
    }

    @Test func anAnswerThatEndsTooSoonIsNone() throws {
        let server = try WireServer { number, _ in
            number == 0 ? (Self.answer(200, "half", length: 8), .close) : (Array("HTTP/1.1 2".utf8), .close)
        }
        let transport = CurlTransport(authority: nil)
        for _ in 0..<2 {
            guard case .broken = exchange(transport, server, .get) else {
                Issue.record("half an answer was taken")
                return
            }
        }
    }

    /// Ten bytes a second are never idle. What drips fast enough is waited for, however long it takes.
    @Test func anAnswerThatDripsIsGivenUp() throws {
        let server = try WireServer { number, _ in
            (Self.answer(200, "", length: 64), .drip(bytes: number == 0 ? 100_000 : 64, every: number == 0 ? 100 : 50))
        }
        var patience = CurlTransport.Patience()
        (patience.span, patience.bytes) = (2, 1000)
        let start = Surroundings.system.uptime()
        guard
            case .broken(let reason) = exchange(
                CurlTransport(authority: nil, patience: patience), server, .get, capacity: 1 << 20)
        else {
            Issue.record("it was waited for")
            return
        }
        #expect(reason == "fewer than 1000 bytes came or went in 2 seconds")
        #expect(Surroundings.system.uptime() - start < 60_000_000_000)
        (patience.span, patience.bytes) = (2, 2)
        let slow = try #require(answered(exchange(CurlTransport(authority: nil, patience: patience), server, .get)))
        #expect(slow.content == [UInt8](repeating: UInt8(ascii: "x"), count: 64))
    }

    @Test func redirectionsAreNotFollowed() throws {
        let server = try WireServer { _, _ in
            (Array("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".utf8), .keep)
        }
        #expect(try #require(answered(exchange(CurlTransport(authority: nil), server, .get))).status == 307)
        #expect(server.requests.count == 1)
    }

    @Test func nobodyThereIsNoConnection() throws {
        let port: UInt16
        do { port = try WireServer { _, _ in nil }.port }
        let request = HTTPRequest(
            method: .get, url: "http://127.0.0.1:\(port)/", headers: [], capacity: 1, once: false)
        guard case .notConnected = CurlTransport(authority: nil).exchange(request, nil) else {
            Issue.record("somebody answered")
            return
        }
    }
}
