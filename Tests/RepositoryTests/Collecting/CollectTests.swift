import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// The collector on one vault: what it frees, what it leaves and says why, and what it is when it is killed.
struct CollectTests {
    // MARK: - A laden vault

    /// One snapshot that stays, two that were forgotten, and what a killed session left, claimed.
    struct Laden {
        let estate: Estate
        let store: StrictStore
        let kept: Snapshot
        let content: [UInt8]

        init(seed: UInt64) throws {
            store = StrictStore()
            estate = try Estate(
                seed: seed, store: store, cut: .init(minimum: 256, average: 1024, maximum: 4096))
            let shared = estate.bytes(40_000)
            content = shared + estate.bytes(20_000)
            let first = try estate.backUp(shared + estate.bytes(30_000), name: "pc-1")
            kept = try estate.backUp(content, name: "pc-1")
            let other = try estate.backUp(estate.bytes(50_000), name: "pc-2")
            try Self.killSession(estate, store)
            _ = try estate.open().forget([first.id, other.id])
        }

        /// A session that dies on its way to the commit, with packs in the vault.
        static func killSession(_ estate: Estate, _ store: any ObjectStore, after calls: Int = 50) throws {
            let dying = FaultyStore(store, seed: 1) { $0.crashAfter = calls }
            let repository = try CollectTests.open(dying, estate)
            var options = BackupSession.Options()
            options.workers = 1
            options.packBytes = 4096
            let session = try repository.beginBackup(options)
            do {
                var writer = session.makeContentWriter(.tree)
                while true { try writer.append(estate.bytes(10_000)) }
            } catch let failure as Failure { #expect(failure == FaultyStore.died) }
            try? session.abandon()
        }
    }

    /// Without the cost of a slot.
    static func open(_ store: any ObjectStore, _ estate: Estate) throws -> Repository {
        try Repository.open(
            store, .granted(try Keys(owning: estate.bundle, surroundings: estate.surroundings)), heads: NoHeadMemory(),
            surroundings: estate.surroundings)
    }

    private static func releasing() -> Collector.Options {
        var options = Collector.Options()
        options.releasesClaims = true
        options.workers = 1
        return options
    }

    private func collect(
        _ store: any ObjectStore, _ estate: Estate, _ options: Collector.Options = releasing(),
        watch: any ClaimWatch = NoClaimWatch()
    ) throws -> CollectReport {
        var collector = Collector(try Self.open(store, estate), options, watch: watch)
        return try collector.run()
    }

    /// Nothing lies there that nothing needs, and what stays reads back.
    private func expectClean(_ store: any ObjectStore, _ laden: Laden, _ note: String = "") throws {
        let repository = try Self.open(store, laden.estate)
        let plan = try Collector(repository).plan()
        let left = plan.items.filter { $0.fate != .live }
        // A condemned checkpoint or page may wait for the next run; nothing else does.
        #expect(left.map(\.object.name.path).filter { !$0.hasPrefix("checkpoints/") } == [], "\(note)")
        #expect(try laden.estate.content(of: laden.kept, in: repository) == laden.content, "\(note)")
    }

    // MARK: - Freeing

    @Test func whatNothingNeedsIsFreedAndTheRestReadsBack() throws {
        let laden = try Laden(seed: 1)
        let before = laden.store.keys.filter { $0.hasPrefix("packs/") }.count
        let report = try collect(laden.store, laden.estate)
        #expect(report.deleted.bytes > 100_000 && report.remaining.isEmpty && report.wroteCheckpoint)
        #expect(report.usage.notYet.objects == 0)
        try expectClean(laden.store, laden)
        #expect(laden.store.keys.filter { $0.hasPrefix("packs/") }.count < before)
        #expect(laden.store.keys.filter { $0.hasPrefix("manifests/") }.count == 1)
        // A second run finds nothing to do, and says nothing to the log.
        let head = try Self.open(laden.store, laden.estate).log.state.head
        _ = try collect(laden.store, laden.estate)
        let again = try collect(laden.store, laden.estate)
        #expect(again.deleted.objects == 0)
        #expect(try Self.open(laden.store, laden.estate).log.state.head <= head + 2)
        // And backups go on as if nothing had been.
        let next = try laden.estate.backUp(laden.content, name: "pc-1")
        #expect(next.part.storedBytes < 5000)
    }

    @Test func aDryRunChangesNothingAndSaysWhatWouldGo() throws {
        let laden = try Laden(seed: 2)
        let keys = laden.store.keys
        let plan = try Collector(try Self.open(laden.store, laden.estate), Self.releasing()).plan()
        #expect(laden.store.keys == keys)
        let usage = VaultUsage(plan, try Self.open(laden.store, laden.estate).log.state)
        #expect(usage.live.bytes > 60_000)
        // All of it is held by the killed session's claim: what was in the log before it, and what it put itself.
        #expect(usage.reclaimable.objects == 0)
        #expect(usage.notYet.bytes > 100_000)
        #expect(usage.lines.contains { if case .sessionClaim = $0.reason { true } else { false } })
    }

    // MARK: - Killed

    @Test func killedAtAnyCallItIsFinishedByTheNext() throws {
        let laden = try Laden(seed: 3)
        let changes = ChangeCounter(laden.store.copy())
        _ = try collect(changes, laden.estate)
        #expect(changes.places.count > 10)
        // Between two changes it does not matter where it dies.
        for call in changes.places {
            for isDone in [false, true] {
                let store = laden.store.copy()
                let dying = FaultyStore(store, seed: 1) {
                    $0.crashAfter = call
                    $0.crashingCallIsDone = isDone
                }
                #expect(throws: Failure(.cancelled, "")) { try collect(dying, laden.estate) }
                _ = try collect(store, laden.estate)
                try expectClean(store, laden, "killed at call \(call)")
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>) func lostAnswersAreSettled(seed: UInt64) throws {
        let laden = try Laden(seed: 4)
        let store = laden.store.copy()
        let lossy = FaultyStore(store, seed: seed) {
            $0.lostAcknowledgements = 250
            $0.refusals = 4
        }
        for _ in 0..<20 where (try? collect(lossy, laden.estate)) == nil {}
        let report = try collect(store, laden.estate)
        #expect(report.remaining.isEmpty)
        try expectClean(store, laden, "seed \(seed)")
    }

    @Test func aDeleteIsAskedForTwentyTimesBeforeItCountsAsFailed() throws {
        let laden = try Laden(seed: 5)
        let deaf = DeafDeletes(laden.store, answers: 21)
        let report = try collect(deaf, laden.estate)
        #expect(report.remaining.isEmpty)
        try expectClean(laden.store, laden)
    }

    @Test func whatCannotBeDeletedIsNamedAndGoesNextTime() throws {
        let laden = try Laden(seed: 6)
        let deaf = DeafDeletes(laden.store, answers: 1000)
        let report = try collect(deaf, laden.estate)
        #expect(!report.remaining.isEmpty && report.deleted.objects == 0)
        #expect(try laden.estate.content(of: laden.kept) == laden.content)
        _ = try collect(laden.store, laden.estate)
        try expectClean(laden.store, laden)
    }

    @Test func nothingIsCondemnedWhileASetCannotBeRead() throws {
        let laden = try Laden(seed: 7)
        let repository = try laden.estate.open()
        let set = try #require(laden.kept.clear.sets.first)
        let name = try #require(repository.log.state.names(of: .set, set).first)
        laden.store.lose(name.path)
        let keys = laden.store.keys
        #expect(throws: (any Error).self) { try collect(laden.store, laden.estate) }
        #expect(laden.store.keys.filter { !$0.hasPrefix("log/") } == keys.filter { !$0.hasPrefix("log/") })
    }

    // MARK: - Claims

    @Test func aSessionThatDoesNotMoveIsLetGoByThePlainRun() throws {
        let laden = try Laden(seed: 8)
        let watch = MemoryWatch()
        var options = Collector.Options()
        options.workers = 1
        let first = try collect(laden.store, laden.estate, options, watch: watch)
        #expect(first.released.isEmpty && first.deleted.objects == 0)
        // At once after says nothing: it may be reading.
        let second = try collect(laden.store, laden.estate, options, watch: watch)
        #expect(second.released.isEmpty)
        laden.estate.surroundings.pause(3_700_000_000_000)
        let third = try collect(laden.store, laden.estate, options, watch: watch)
        #expect(third.released.map(\.why) == [.still])
        #expect(third.deleted.bytes > 100_000)
        try expectClean(laden.store, laden)
    }

    @Test func aSessionThatMovesIsLeftAlone() throws {
        let laden = try Laden(seed: 9)
        let watch = MemoryWatch()
        var options = Collector.Options()
        options.workers = 1
        let repository = try Self.open(laden.store, laden.estate)
        let session = try repository.beginBackup()
        var writer = session.makeContentWriter(.tree)
        for _ in 0..<3 {
            try writer.append(laden.estate.bytes(1000))
            let name = ObjectName(kind: .pack, digest: Digest(laden.estate.bytes(32)) ?? .zero, session: session.id)
            try laden.store.put(try name.key(), laden.estate.bytes(100), use: .data)
            let report = try collect(laden.store, laden.estate, options, watch: watch)
            #expect(!report.released.contains { $0.scope == .session(session.id) })
            laden.estate.surroundings.pause(3_700_000_000_000)
        }
    }

    @Test func whenSpaceIsShortSessionsAreLetGoAndMachinesAreNot() throws {
        let laden = try Laden(seed: 10)
        let tight = TightSpace(laden.store, free: 10)
        var options = Collector.Options()
        options.shortOfSpace = 1000
        let repository = try Self.open(laden.store, laden.estate)
        let machine = try repository.claim(.machine(laden.kept.id))
        let report = try collect(tight, laden.estate, options)
        #expect(report.released.map(\.why) == [.shortOfSpace])
        #expect(try repository.log.refresh().claims[machine] != nil)
        let forced = try collect(laden.store, laden.estate)
        #expect(forced.released.isEmpty)
    }

    @Test func aClaimOnAForgottenSnapshotHoldsItAndIsNamed() throws {
        let laden = try Laden(seed: 11)
        let repository = try Self.open(laden.store, laden.estate)
        let second = try laden.estate.backUp(laden.estate.bytes(30_000), name: "pc-3")
        let claim = try repository.claim(.read(second.id))
        _ = try repository.forget([second.id])
        var options = Collector.Options()
        options.workers = 1
        let report = try collect(laden.store, laden.estate, options)
        let held = report.usage.share { $0 == .snapshotClaim(snapshot: second.id, kind: "read") }
        #expect(held.bytes > 30_000)
        try repository.release(claim)
        _ = try collect(laden.store, laden.estate)
        try expectClean(laden.store, laden)
    }

    @Test func aSnapshotUnderAMachineIsNotForgottenAndTheOthersAre() throws {
        let laden = try Laden(seed: 12)
        let repository = try Self.open(laden.store, laden.estate)
        let second = try laden.estate.backUp(laden.estate.bytes(30_000), name: "pc-3")
        _ = try repository.claim(.machine(second.id))
        let done = try repository.forget([second.id, laden.kept.id])
        #expect(done.forgotten == [laden.kept.id] && done.running == [second.id])
    }

    // MARK: - Space

    @Test func aFullVaultCanBeEmptied() throws {
        let store = StrictStore(capacity: 600_000, reserve: 150_000)
        let estate = try Estate(seed: 13, store: store)
        var last: Snapshot?
        var ids: [Digest] = []
        var isFull = false
        for _ in 0..<40 where !isFull {
            do {
                let snapshot = try estate.backUp(estate.bytes(60_000), name: "pc-1")
                ids.append(snapshot.id)
                last = snapshot
            } catch let failure as Failure {
                #expect(failure == Failure(.full, ""))
                isFull = true
            }
        }
        #expect(isFull && ids.count > 3)
        let kept = try #require(last)
        let content = try estate.content(of: kept)
        _ = try estate.open().forget(ids.filter { $0 != kept.id })
        var options = Collector.Options()
        options.shortOfSpace = 200_000
        let report = try collect(store, estate, options)
        #expect(report.deleted.bytes > 200_000)
        let next = try estate.backUp(estate.bytes(60_000), name: "pc-1")
        #expect(try estate.content(of: kept) == content)
        #expect(try estate.content(of: next).count == 60_000)
    }
}

/// At which calls a store was changed, counted as `FaultyStore` counts.
final class ChangeCounter: ObjectStore {
    private let inner: any ObjectStore
    private let calls = Monitor((all: 0, changes: [Int]()))
    /// Calls before each put and delete.
    var places: [Int] { calls.access { $0.changes } }

    init(_ inner: any ObjectStore) { self.inner = inner }

    private func note(isChange: Bool) {
        calls.access { calls in
            if isChange { calls.changes.append(calls.all) }
            calls.all += 1
        }
    }

    var location: String { inner.location }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        note(isChange: true)
        try inner.put(key, bytes, use: use)
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        note(isChange: false)
        return try inner.get(key, range: range)
    }
    func length(of key: StoreKey) throws(Failure) -> UInt64? {
        note(isChange: false)
        return try inner.length(of: key)
    }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        note(isChange: false)
        return try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? {
        note(isChange: false)
        return try inner.space()
    }
    func delete(_ key: StoreKey) throws(Failure) {
        note(isChange: true)
        try inner.delete(key)
    }
}

/// Remembers as long as the test runs.
final class MemoryWatch: ClaimWatch {
    private let kept = Monitor([ClaimID: Sighting]())
    func sightings(in vault: VaultID) throws(Failure) -> [ClaimID: Sighting] { kept.access { $0 } }
    func keep(_ sightings: [ClaimID: Sighting], in vault: VaultID) throws(Failure) { kept.access { $0 = sightings } }
}

/// Answers a delete only when it is asked that many times.
private final class DeafDeletes: ObjectStore {
    private let inner: any ObjectStore
    private let answers: Int
    private let asked = Monitor([StoreKey: Int]())

    init(_ inner: any ObjectStore, answers: Int) {
        self.inner = inner
        self.answers = answers
    }

    var location: String { inner.location }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.put(key, bytes, use: use)
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] { try inner.get(key, range: range) }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? { try inner.space() }
    func delete(_ key: StoreKey) throws(Failure) {
        let count = asked.access { asked in
            asked[key, default: 0] += 1
            return asked[key, default: 0]
        }
        guard count >= answers else { throw Failure(.unknownOutcome, "the answer was lost") }
        try inner.delete(key)
    }
}

/// Says that little space is left.
private final class TightSpace: ObjectStore {
    private let inner: any ObjectStore
    private let free: UInt64

    init(_ inner: any ObjectStore, free: UInt64) {
        self.inner = inner
        self.free = free
    }

    var location: String { inner.location }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.put(key, bytes, use: use)
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] { try inner.get(key, range: range) }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? { StoreSpace(total: 1 << 30, free: free) }
    func delete(_ key: StoreKey) throws(Failure) { try inner.delete(key) }
}
