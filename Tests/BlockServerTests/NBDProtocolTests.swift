import BlockServer
import Platform
import Support
import Synchronization
import Testing

/// Byte by byte, against the specification.
@Suite struct NBDProtocolTests {
    private let directory: TemporaryDirectory
    private let source = PatternSource(size: 3_000_000, hole: 1 << 20..<(1 << 20) + 500_000)
    private let server: NBDServer

    init() throws {
        directory = try TemporaryDirectory("nbd")
        server = try NBDServer(
            path: directory("socket"),
            exports: [
                NBDExport(name: "disk", description: "桌面", source: source),
                NBDExport(name: "other", source: PatternSource(size: 10)),
            ])
    }

    @Test func `exports are listed and described`() throws {
        let client = try RawClient(server.path)
        try client.sendOption(3)
        #expect(try client.receiveReply()?.data == RawClient.text("disk"))
        #expect(try client.receiveReply()?.data == RawClient.text("other"))
        #expect(try client.receiveReply()?.kind == 1)
        try client.sendOption(6, RawClient.text("disk") + [0, 3, 0, 1, 0, 2, 0, 3])
        var seen: [[UInt8]] = []
        while let (kind, data) = try client.receiveReply(), kind == 3 { seen.append(data) }
        #expect(seen.contains([0, 1] + Array("disk".utf8)))
        #expect(seen.contains([0, 2] + Array("桌面".utf8)))
        #expect(seen.contains([0, 3, 0, 0, 0, 1, 0, 1, 0, 0, 2, 0, 0, 0]))
        let (size, flags) = try client.go("other", structured: true)
        // Flags, read-only, flush, don't-fragment, many connections.
        #expect(size == 10 && flags == 1 | 2 | 4 | 128 | 256)
    }

    @Test func `options that make no sense are refused, and the next one goes on`() throws {
        let client = try RawClient(server.path)
        func kind(_ option: UInt32, _ data: [UInt8] = []) throws -> UInt32? {
            try client.sendOption(option, data)
            return try client.receiveReply()?.kind
        }
        #expect(try kind(5) == 0x8000_0001)
        #expect(try kind(99, [1, 2, 3]) == 0x8000_0001)
        #expect(try kind(3, [1]) == 0x8000_0003)
        #expect(try kind(8, [1]) == 0x8000_0003)
        #expect(try kind(7) == 0x8000_0003)
        #expect(try kind(7, RawClient.text("disk") + [0, 2, 0, 0]) == 0x8000_0003)
        #expect(try kind(7, RawClient.big(UInt32.max) + [0, 0]) == 0x8000_0003)
        #expect(try kind(7, RawClient.text("nothing") + [0, 0]) == 0x8000_0006)
        #expect(try kind(7, RawClient.text("") + [0, 0]) == 0x8000_0006)
        // Contexts need structured replies first.
        let query = RawClient.text("disk") + RawClient.big(1 as UInt32) + RawClient.text("base:allocation")
        #expect(try kind(10, query) == 0x8000_0003)
        #expect(try kind(8) == 1)
        #expect(try kind(10, RawClient.text("disk") + RawClient.big(UInt32.max)) == 0x8000_0003)
        #expect(try kind(10, query + [0]) == 0x8000_0003)
        #expect(try kind(10, query) == 4)
        #expect(try client.receiveReply()?.kind == 1)
        #expect(try kind(9, RawClient.text("disk") + RawClient.big(0 as UInt32)) == 4)
        #expect(try client.receiveReply()?.kind == 1)
        #expect(try kind(2) == 1)
        #expect(try client.receive(1) == nil)
    }

    @Test func `an old client gets the export by name, with or without zeros`() throws {
        let client = try RawClient(server.path, flags: 1)
        try client.sendOption(1, Array("disk".utf8))
        let answer = try #require(try client.receive(134))
        #expect(RawClient.number(answer[0..<8]) == source.size && answer[10...].allSatisfy { $0 == 0 })
        try client.request(0, cookie: 77, at: 1000, 512)
        #expect(try client.simpleReply(cookie: 77) == 0)
        #expect(try client.receive(512) == source.expected(1000..<1512))
        let unknown = try RawClient(server.path)
        try unknown.sendOption(1, Array("nothing".utf8))
        #expect(try unknown.receive(1) == nil)
    }

    @Test(arguments: [false, true]) func `whatever would write is refused`(structured: Bool) throws {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: structured)
        func answer() throws -> UInt64 { structured ? try client.chunk().error : UInt64(try client.simpleReply()) }
        try client.request(1, at: 0, 5)
        try client.send([1, 2, 3, 4, 5])
        #expect(try answer() == 1)
        try client.request(4, at: 0, 4096)
        #expect(try answer() == 1)
        try client.request(6, at: 0, 4096)
        #expect(try answer() == 1)
        // Flushing nothing succeeds.
        try client.request(3)
        #expect(try client.simpleReply() == 0)
    }

    @Test(arguments: [false, true]) func `requests that make no sense are refused, and the next one is served`(
        structured: Bool
    ) throws {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: structured)
        func answer() throws -> UInt64 { structured ? try client.chunk().error : UInt64(try client.simpleReply()) }
        for (kind, flags, offset, length) in [
            (99, 0, 0, 0), (5, 0, 0, 4096), (7, 0, 0, 4096), (0, 0x8000, 0, 512), (0, 0, source.size, 1),
            (0, 0, source.size - 1, 2), (0, 0, UInt64.max, 1), (0, 0, UInt64.max - 10, 100), (0, 0, 0, UInt32.max),
            (0, 0, 0, (32 << 20) + 1), (3, 1, 0, 0),
        ] as [(UInt16, UInt16, UInt64, UInt32)] {
            try client.request(kind, flags: flags, at: offset, length)
            #expect(try answer() == 22, "\(kind) \(flags) \(offset) \(length)")
        }
        try client.request(0, at: source.size - 8, 8)
        if structured {
            #expect(
                try client.chunk().payload == RawClient.big(source.size - 8)
                    + source.expected(source.size - 8..<source.size))
        } else {
            #expect(try client.simpleReply() == 0)
            #expect(try client.receive(8) == source.expected(source.size - 8..<source.size))
        }
    }

    @Test func `a structured read names its holes and joins to the whole`() throws {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: true)
        let range: Range<UInt64> = 500_000..<2_500_000
        try client.request(0, at: range.lowerBound, UInt32(range.count))
        var bytes = [UInt8](repeating: 0xEE, count: range.count)
        var holes: UInt64 = 0
        for chunk in try client.chunks() {
            let offset = Int(RawClient.number(chunk.payload[0..<8]) - range.lowerBound)
            if chunk.kind == 1 {
                bytes.replaceSubrange(offset..<offset + chunk.payload.count - 8, with: chunk.payload[8...])
            } else {
                #expect(chunk.kind == 2)
                let length = RawClient.number(chunk.payload[8..<12])
                holes += length
                bytes.replaceSubrange(offset..<offset + Int(length), with: [UInt8](repeating: 0, count: Int(length)))
            }
        }
        #expect(bytes == source.expected(range) && holes == 500_000)

        try client.request(0, flags: 4, cookie: 2, at: range.lowerBound, UInt32(range.count))
        let whole = try client.chunks(cookie: 2)
        #expect(whole.count == 1 && whole[0].payload == RawClient.big(range.lowerBound) + source.expected(range))
        try client.request(0, cookie: 3, at: 7, 0)
        #expect(try client.chunks(cookie: 3) == [RawClient.Chunk(isLast: true, kind: 0, payload: [])])
    }

    @Test func `block status tells holes from data`() throws {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: true, allocation: true)
        func status(_ range: Range<UInt64>, flags: UInt16 = 0) throws -> [[UInt64]] {
            try client.request(7, flags: flags, at: range.lowerBound, UInt32(range.count))
            let chunk = try client.chunk()
            #expect(chunk.kind == 5 && chunk.isLast && RawClient.number(chunk.payload[0..<4]) == 1)
            return stride(from: 4, to: chunk.payload.count, by: 8).map { start in
                [
                    RawClient.number(chunk.payload[start..<start + 4]),
                    RawClient.number(chunk.payload[start + 4..<start + 8]),
                ]
            }
        }
        #expect(try status(0..<source.size) == [[1 << 20, 0], [500_000, 3], [source.size - (1 << 20) - 500_000, 0]])
        #expect(try status((1 << 20) - 10..<source.size, flags: 8) == [[10, 0]])
        #expect(try status((1 << 20) + 10..<(1 << 20) + 20) == [[10, 3]])
        try client.request(7, at: 0, 0)
        #expect(try client.chunk().error == 22)
    }

    @Test(arguments: [false, true]) func `a source that fails is an I/O error, told to the owner`(structured: Bool)
        throws
    {
        let told = Mutex<[Failure]>([])
        let server = try NBDServer(
            path: directory("failing"), exports: [NBDExport(name: "disk", source: source)],
            onProblem: { problem in told.withLock { $0.append(problem) } })
        source.fail(at: [700_000])
        let client = try RawClient(server.path)
        _ = try client.go("", structured: structured)
        try client.request(0, at: 0, 1 << 20)
        if structured {
            let chunks = try client.chunks()
            #expect(chunks.last?.kind == 0x8001 && chunks.last?.error == 5)
        } else {
            #expect(try client.simpleReply() == 5)
        }
        #expect(told.withLock { $0.count } == 1)
        // The rest of the disk goes on being served.
        source.fail(at: [])
        try client.request(0, flags: 0, cookie: 2, at: 0, 8)
        if structured {
            #expect(try client.chunks(cookie: 2).last?.kind == 1)
        } else {
            #expect(try client.simpleReply(cookie: 2) == 0)
        }
    }

    @Test func `many requests in flight are all answered, each with its own bytes`() throws {
        let client = try RawClient(server.path)
        _ = try client.go("disk", structured: false)
        for cookie: UInt64 in 0..<300 { try client.request(0, cookie: cookie, at: cookie * 1000, 100) }
        var seen: Set<UInt64> = []
        for _ in 0..<300 {
            let head = try #require(try client.receive(16))
            let cookie = RawClient.number(head[8..<16])
            seen.insert(cookie)
            #expect(try client.receive(100) == source.expected(cookie * 1000..<cookie * 1000 + 100))
        }
        #expect(seen.count == 300)
    }
}
