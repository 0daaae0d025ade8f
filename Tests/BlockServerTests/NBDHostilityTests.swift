import BlockServer
import Platform
import Support
import Testing

/// Nothing a client sends may crash the server, hang it, or keep others from being served.
@Suite struct NBDHostilityTests {
    private let directory: TemporaryDirectory
    private let source = PatternSource(size: 1 << 20)
    private let server: NBDServer
    private let limits: NBDLimits

    init() throws {
        directory = try TemporaryDirectory("nbd")
        var limits = NBDLimits()
        limits.patience = .seconds(5)
        limits.connections = 8
        self.limits = limits
        server = try NBDServer(
            path: directory("socket"), exports: [NBDExport(name: "disk", source: source)], limits: limits)
    }

    private func isAlive() throws -> Bool {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: true)
        try client.request(0, at: 4096, 512)
        return try client.chunk().payload.dropFirst(8).elementsEqual(source.expected(4096..<4608))
    }

    /// A client that left is noticed a moment later.
    private func waitForRoom() { while server.connectionCount >= limits.connections - 1 {} }

    @Test func `random bytes in the handshake`() throws {
        for number in 0..<150 {
            var seed = Seed(UInt64(number))
            waitForRoom()
            let client = try RawClient(
                server.path, flags: number.isMultiple(of: 5) ? .random(in: 0 ... .max, using: &seed) : 3)
            let noise = (0..<Int.random(in: 1...200, using: &seed)).map { _ in UInt8.random(in: 0...255, using: &seed) }
            // The server may close on us while we send.
            if Bool.random(using: &seed) {
                try? client.send(noise)
            } else {
                try? client.sendOption(UInt32.random(in: 0...12, using: &seed), noise)
                try? client.sendOption(UInt32.random(in: 0...12, using: &seed), Array(noise.prefix(20)))
            }
        }
        #expect(try isAlive())
    }

    @Test func `random bytes for requests`() throws {
        for number in 0..<100 {
            var seed = Seed(UInt64(1000 + number))
            waitForRoom()
            let client = try RawClient(server.path)
            _ = try client.go("disk", structured: Bool.random(using: &seed), allocation: false)
            if Bool.random(using: &seed) {
                try? client.send((0..<100).map { _ in UInt8.random(in: 0...255, using: &seed) })
            } else {
                for _ in 0..<20 {
                    try? client.request(
                        .random(in: 0...9, using: &seed), flags: .random(in: 0...15, using: &seed),
                        cookie: .random(in: 0 ... .max, using: &seed), at: .random(in: 0...1 << 21, using: &seed),
                        .random(in: 0...1 << 18, using: &seed))
                }
            }
        }
        #expect(try isAlive())
    }

    @Test func `an option as long as it gets is refused before anything is kept for it`() throws {
        let client = try RawClient(server.path)
        try client.sendOption(7, [], length: .max)
        #expect(try client.receiveReply()?.kind == 0x8000_0009)
        #expect(try client.receive(1) == nil)
    }

    @Test func `a write as long as it gets ends the connection`() throws {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: true)
        try client.request(1, at: 0, .max)
        #expect(try client.receive(1) == nil)
        #expect(try isAlive())
    }

    @Test func `half a greeting, half an option, half a request, half a write`() throws {
        let half = try StreamSocket.connect(unix: server.path)
        try half.send([0, 0], by: .after(.seconds(20)))
        let option = try RawClient(server.path)
        try option.send(Array("IHAVE".utf8))
        let request = try RawClient(server.path)
        _ = try request.go("disk", structured: true)
        try request.send([0x25, 0x60, 0x95])
        let write = try RawClient(server.path)
        _ = try write.go("disk", structured: true)
        try write.request(1, at: 0, 1000)
        try write.send([1])
        waitForRoom()
        #expect(try isAlive())
        for socket in [half, option.socket, request.socket, write.socket] { socket.shutDown() }
        #expect(try isAlive())
    }

    @Test func `a client that reads nothing is dropped, the others are served meanwhile`() throws {
        let greedy = try RawClient(server.path)
        _ = try greedy.go("disk", structured: true)
        for cookie: UInt64 in 0..<60 { try greedy.request(0, cookie: cookie, at: 0, 1 << 20) }
        #expect(try isAlive())
        // Patience runs out after five seconds; then the server hangs up in the middle of an answer.
        while server.connectionCount > 0 {}
        #expect(throws: Failure(.unreachable, "")) {
            while try greedy.receive(1 << 16) != nil {}
            throw Failure(.unreachable, "closed between answers")
        }
    }

    @Test func `more connections than allowed are turned away`() throws {
        let clients = try (0..<8).map { _ in try RawClient(server.path) }
        #expect(throws: (any Error).self) { try RawClient(server.path) }
        clients[0].socket.shutDown()
        while server.connectionCount > 7 {}
        #expect(try isAlive())
        #expect(clients.count == 8)
    }

    @Test func `stopping ends clients in the middle of whatever they do`() throws {
        let idle = try RawClient(server.path)
        _ = try idle.go("disk", structured: true)
        let shaking = try RawClient(server.path)
        let reading = try RawClient(server.path)
        _ = try reading.go("disk", structured: true)
        for cookie: UInt64 in 0..<40 { try reading.request(0, cookie: cookie, at: 0, 1 << 20) }
        server.stop()
        #expect(try idle.receive(1) == nil)
        #expect(try shaking.receive(1) == nil)
        #expect(throws: Failure(.notFound, "")) { try StreamSocket.connect(unix: server.path) }
        server.stop()
    }
}
