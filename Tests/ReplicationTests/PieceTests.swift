import Glibc
import ObjectStore
import Platform
import Replication
import Support
import Synchronization
import Testing

/// Packs that are longer than the pieces they are read in.
@Suite struct PieceTests {
    @Test func aLongPackArrivesWhole() throws {
        let pair = try Pair(seed: 31)
        let content = pair.surroundings.random(5_000_000)
        let id = try pair.backUp(content, packBytes: 8 << 20)
        let report = try pair.replicator().run()
        #expect(report.copied == [id] && report.packs == 1)
        #expect(try pair.content(of: id, in: pair.copy) == content)
    }

    /// The name is given up, and the pack put again under another.
    @Test func aPieceThatReadsBackOtherwiseIsNotCommitted() throws {
        let pair = try Pair(seed: 32)
        let content = pair.surroundings.random(5_000_000)
        let id = try pair.backUp(content, packBytes: 8 << 20)
        let misreading = MisreadingStore(pair.copy)
        let report = try pair.replicator(to: misreading).run()
        #expect(misreading.hasMisread)
        #expect(report.copied == [id] && report.packs == 1)
        #expect(pair.copy.keys.count { $0.hasPrefix("packs/") } == 2)
        #expect(try pair.content(of: id, in: pair.copy) == content)
    }
}

/// How much is read back at a time.
@Suite struct ReadingWindowTests {
    /// Each piece takes as long as the clock says.
    private final class Line: Sendable {
        private let clock = Mutex<UInt64>(0)
        let took = Mutex<UInt64>(100)
        var surroundings: Surroundings {
            Surroundings(
                now: { Timestamp(seconds: 0) }, uptime: { self.clock.withLock { $0 } },
                random: { [UInt8](repeating: 0, count: $0) }, pause: { _ in })
        }
        func read() -> [UInt8] {
            let took = took.withLock { $0 }
            clock.withLock { $0 += took }
            return []
        }
    }

    @Test func itWidensWhilePiecesComeQuicklyAndNarrowsWhenTheyWait() throws {
        let line = Line()
        let window = ReadingWindow(line.surroundings)
        #expect(window.width == ReadingWindow.least)
        for _ in 0..<100 { _ = try window.read(isLossy: false) { () throws(Failure) in line.read() } }
        #expect(window.width == ReadingWindow.most)
        line.took.withLock { $0 = 301 }
        _ = try window.read(isLossy: false) { () throws(Failure) in line.read() }
        #expect(window.width == ReadingWindow.most - 1)
        for _ in 0..<100 { _ = try window.read(isLossy: false) { () throws(Failure) in line.read() } }
        #expect(window.width == ReadingWindow.least)
    }

    /// What fails has had its turn as well.
    @Test func noMoreAreUnderWayThanItIsWide() throws {
        for (isLossy, most) in [(false, ReadingWindow.least), (true, ReadingWindow.most)] {
            let line = Line()
            let window = ReadingWindow(line.surroundings)
            let counts = Mutex((now: 0, most: 0))
            // So slow that it stays as wide as it was.
            line.took.withLock { $0 = 0 }
            _ = try window.read(isLossy: false) { () throws(Failure) in line.read() }
            line.took.withLock { $0 = 1000 }
            let start = window.width
            try Workers.each(Array(0..<200), on: 60) { number in
                do throws(Failure) {
                    _ = try window.read(isLossy: isLossy) { () throws(Failure) in
                        counts.withLock {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        usleep(1000)
                        counts.withLock { $0.now -= 1 }
                        guard number % 3 > 0 else { throw Failure(.unreachable, "gone") }
                        return line.read()
                    }
                } catch { #expect(error.code == .unreachable) }
            }
            let seen = counts.withLock { $0.most }
            #expect(seen <= max(most, start) && seen > 1 && counts.withLock { $0.now } == 0)
        }
    }
}

/// Gives one byte of the middle of a pack wrongly, the first time that it is asked for it.
private final class MisreadingStore: ObjectStore {
    private let store: StrictStore
    private let done = Mutex(false)

    init(_ store: StrictStore) { self.store = store }

    var location: String { store.location }
    var hasMisread: Bool { done.withLock { $0 } }

    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try store.put(key, bytes, use: use)
    }

    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        var bytes = try store.get(key, range: range)
        guard key.text.hasPrefix("packs/"), range.contains(2_000_000) else { return bytes }
        let isFirst = done.withLock { done in
            defer { done = true }
            return !done
        }
        if isFirst { bytes[Int(2_000_000 - range.lowerBound)] ^= 1 }
        return bytes
    }

    func length(of key: StoreKey) throws(Failure) -> UInt64? { try store.length(of: key) }
    func delete(_ key: StoreKey) throws(Failure) { try store.delete(key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try store.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? { try store.space() }
}
