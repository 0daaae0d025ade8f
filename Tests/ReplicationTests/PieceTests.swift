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
