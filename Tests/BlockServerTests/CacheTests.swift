import BlockServer
import Platform
import Support
import Testing

@Suite struct CacheTests {
    private func policy(pages: Int = 64, readers: Int = 0) -> CachePolicy {
        var policy = CachePolicy()
        policy.pageSize = 4096
        policy.budget = pages * 4096
        policy.firstWindow = 4 * 4096
        policy.largestWindow = 16 * 4096
        policy.readers = readers
        return policy
    }

    @Test func `reads of any shape give the source's bytes, again and again`() throws {
        let source = PatternSource(size: 300_001, hole: 50_000..<100_123)
        let cache = CachingBlockSource(source, policy: policy(pages: 20, readers: 2))
        var seed = Seed(7)
        for _ in 0..<600 {
            let start = UInt64.random(in: 0...source.size, using: &seed)
            let end = UInt64.random(in: start...min(start + 30_000, source.size), using: &seed)
            #expect(try cache.bytes(start..<end) == source.expected(start..<end))
        }
        #expect(try cache.bytes(0..<source.size) == source.expected(0..<source.size))
    }

    @Test func `what was read is not fetched again, and it is counted`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy())
        _ = try cache.bytes(4096..<8192)
        _ = try cache.bytes(5000..<6000)
        _ = try cache.bytes(4096..<12_288)
        #expect(source.reads == [4096..<8192, 8192..<12_288])
        let counters = cache.counters
        #expect(counters.misses == 2 && counters.hits == 2 && counters.fetches == 2)
        #expect(counters.bytesServed == 4096 + 1000 + 8192 && counters.bytesFetched == 8192)
    }

    @Test func `neighbours that are missing are fetched together`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy())
        _ = try cache.bytes(8192..<8193)
        _ = try cache.bytes(0..<40_000)
        #expect(source.reads == [8192..<12_288, 0..<8192, 12_288..<40_960])
    }

    @Test func `the budget holds, and the least recently used goes first`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy(pages: 4))
        for page: UInt64 in [0, 1, 2, 3] { _ = try cache.bytes(page * 4096..<page * 4096 + 1) }
        _ = try cache.bytes(0..<1)  // 1 is now the oldest
        _ = try cache.bytes(100 * 4096..<100 * 4096 + 1)
        #expect(cache.counters.evicted == 1)
        let before = source.reads.count
        for page: UInt64 in [0, 2, 3, 100] { _ = try cache.bytes(page * 4096..<page * 4096 + 1) }
        #expect(source.reads.count == before)
        _ = try cache.bytes(4096..<4097)
        #expect(source.reads.count == before + 1)
    }

    @Test func `a hole costs neither a read nor room`() throws {
        let source = PatternSource(size: 1 << 30, hole: 0..<1 << 30)
        let cache = CachingBlockSource(source, policy: policy(pages: 1))
        let bytes = try cache.bytes(12_345..<3_000_000)
        #expect(bytes.allSatisfy { $0 == 0 })
        #expect(source.reads.isEmpty && cache.counters.evicted == 0)
    }

    @Test func `a page that many want is fetched once`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy())
        source.hold(true)
        let readers = (0..<6).map { _ in
            EngineThread(name: "reader") { #expect((try? cache.bytes(0..<4096)) == source.expected(0..<4096)) }
        }
        source.waitForReads(1)
        while cache.counters.waits < 5 {}
        source.hold(false)
        for reader in readers { reader.join() }
        #expect(source.reads == [0..<4096])
    }

    @Test func `a failure reaches whoever needs the page, and is not remembered`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy())
        source.fail(at: [5000])
        #expect(throws: Failure(.damaged, "")) { try cache.bytes(0..<8192) }
        source.hold(true)
        let readers = (0..<3).map { _ in
            EngineThread(name: "reader") {
                #expect(throws: Failure(.damaged, "")) { try cache.bytes(4096..<8192) }
            }
        }
        while cache.counters.waits < 2 {}
        source.hold(false)
        for reader in readers { reader.join() }
        source.fail(at: [])
        #expect(try cache.bytes(0..<8192) == source.expected(0..<8192))
    }

    @Test func `a sequence is fetched before it is asked for`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy(pages: 512, readers: 1))
        _ = try cache.bytes(0..<4096)
        // The first miss looks four pages ahead.
        source.waitForReads(2)
        #expect(source.reads[1] == 4096..<20_480)
        for page: UInt64 in 1..<200 {
            #expect(
                try cache.bytes(page * 4096..<(page + 1) * 4096) == source.expected(page * 4096..<(page + 1) * 4096))
            // The next page is on its way without being asked for.
            let deadline = Deadline.after(.seconds(20))
            while cache.counters.misses + cache.counters.readAhead <= page + 1, !deadline.hasPassed {}
        }
        #expect(cache.counters.misses == 1)
        // In windows that grow to 16 pages, each half used before the next.
        #expect(cache.counters.fetches < 40)
    }

    @Test func `what is read ahead in vain is met again by whoever needs it`() throws {
        let source = PatternSource(size: 1 << 20)
        let cache = CachingBlockSource(source, policy: policy(readers: 1))
        source.fail(at: [8192])
        _ = try cache.bytes(0..<4096)
        source.waitForReads(2)
        #expect(throws: Failure(.damaged, "")) { try cache.bytes(8192..<8193) }
        source.fail(at: [])
        #expect(try cache.bytes(8192..<8193) == source.expected(8192..<8193))
    }
}
