import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Synchronization
import Testing

/// A vault that locks its data: what a snapshot needs stays locked for the term from its commit, and what is locked is
/// neither deleted nor tried to be.
struct LockTests {
    private static let day: Int64 = 86_400
    private static let term = 30 * day

    /// The store's time, in seconds.
    private final class Clock: Sendable {
        let seconds = Mutex<Int64>(1_800_000_000)
        var now: Timestamp { Timestamp(seconds: seconds.withLock { $0 }) }
        func pass(days: Int64) { seconds.withLock { $0 += days * LockTests.day } }
    }

    private let clock = Clock()
    private let memory = StrictStore()
    private let store: LockedStore
    private let estate: Estate

    init() throws {
        let clock = clock
        store = LockedStore(
            memory, folders: Set(ObjectKind.allCases.filter(\.isLocked).map(\.folder)), term: Self.term,
            now: { clock.now })
        estate = try Estate(seed: 71, store: store, cut: .init(minimum: 256, average: 1024, maximum: 4096))
    }

    /// Everything that the snapshot is restored from, by key, and the segments that tell of its packs.
    private func needed(_ snapshot: Snapshot) throws -> [String] {
        let repository = try estate.open()
        let state = repository.log.state
        let digests = try state.needs(of: snapshot.committed, repository.log.pages)
        let names = state.objects.keys.filter { digests.contains($0.digest) }
        let writers = Set(names.filter { $0.kind == .pack }.map(\.session))
        let segments = state.objects.keys.filter { $0.kind == .segment && writers.contains($0.session) }
        #expect(Set(names.map(\.kind)) == [.pack, .set, .envelope, .manifest] && !segments.isEmpty)
        return (names + segments).map(\.path)
    }

    private func expectLocked(_ snapshot: Snapshot) throws {
        let end = Timestamp(seconds: clock.now.nanoseconds / 1_000_000_000 + Self.term)
        for key in try needed(snapshot) { #expect(store.ends[key] == end, "\(key)") }
    }

    // MARK: - Backups

    @Test func allThatASnapshotLeansOnIsLockedAsLongAsItself() throws {
        let shared = estate.bytes(60_000)
        let first = try estate.backUp(shared, name: "pc-1")
        let other = try estate.backUp(estate.bytes(60_000), name: "pc-2")
        try expectLocked(first)
        clock.pass(days: 20)
        store.forgetAsked()
        // The same again, so that packs, segments, sets and envelopes are all leaned on; then something besides.
        try expectLocked(try estate.backUp(shared, name: "pc-1"))
        clock.pass(days: 25)
        try expectLocked(try estate.backUp(shared + estate.bytes(20_000), name: "pc-1"))
        // What nobody leaned on was neither extended nor asked for.
        for key in try needed(other) { #expect(!store.asked.contains(key)) }
    }

    @Test func aLongSessionKeepsItsOwnPacksLocked() throws {
        let repository = try estate.open()
        var options = BackupSession.Options()
        options.packBytes = 16 << 10
        options.staging = .init(name: "pc", time: Timestamp(seconds: 1), host: "")
        let session = try repository.beginBackup(options)
        var writer = session.makeContentWriter(.tree)
        try writer.append(estate.bytes(100_000))
        try session.stage()
        clock.pass(days: 20)
        try writer.append(estate.bytes(100_000))
        let reference = try writer.finish()
        let snapshot = try session.commit(
            .init(
                name: "pc", time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        try expectLocked(snapshot)
    }

    @Test(arguments: ["packs", "segments", "sets", "envelopes"])
    func whatCannotBeKeptLockedIsNotCommitted(folder: String) throws {
        let shared = estate.bytes(60_000)
        _ = try estate.backUp(shared, name: "pc")
        clock.pass(days: 20)
        store.refuse(folder)
        do {
            _ = try estate.backUp(shared, name: "pc")
            Issue.record("it was committed")
        } catch let failure as Failure {
            #expect(failure.code == .refused && failure.what.contains("is not extended"), "\(failure)")
            #expect(failure.what.contains(folder))
        }
        #expect(try estate.open().log.state.recoveryPoints.count == 1)
    }

    @Test func aSnapshotMayBeCommittedAlthoughAHintIsLost() throws {
        let shared = estate.bytes(60_000)
        _ = try estate.backUp(shared, name: "pc")
        let repository = try estate.open()
        // With its index loaded, so that the packs are leaned on.
        let session = try repository.beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(shared)
        let reference = try writer.finish()
        for key in memory.keys where key.hasPrefix("segments/") { memory.lose(key) }
        let snapshot = try session.commit(
            .init(
                name: "pc", time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        #expect(try estate.content(of: snapshot) == shared)
    }

    // MARK: - Collecting

    @Test func whatIsLockedIsShownAndFreedAfterItsTime() throws {
        let shared = estate.bytes(40_000)
        let first = try estate.backUp(shared + estate.bytes(30_000), name: "pc-1")
        let second = try estate.backUp(estate.bytes(50_000), name: "pc-2")
        clock.pass(days: 10)
        let kept = try estate.backUp(shared, name: "pc-1")
        _ = try estate.open().forget([first.id, second.id])

        // Before anything is condemned: a dry run.
        let repository = try estate.open()
        let plan = try Collector(repository).plan()
        let locks = try repository.locks(of: plan.items.map(\.object.name))
        let usage = VaultUsage(plan, repository.log.state, locks: locks)
        #expect(usage.reclaimable == CollectReport.Share() && usage.notYet.bytes > 50_000)
        #expect(usage.lines.last?.reason == .locked(until: Timestamp(seconds: 1_800_000_000 + Self.term)))
        #expect(usage.locked?.until == Timestamp(seconds: 1_800_000_000 + 10 * Self.day + Self.term))
        #expect((usage.locked?.share.bytes ?? 0) > usage.notYet.bytes)

        let before = memory.keys.filter { !$0.hasPrefix("log/") && !$0.hasPrefix("checkpoints/") }
        for _ in 0..<2 {
            let report = try collect()
            #expect(report.remaining.isEmpty && report.locked.count > 5)
            #expect(report.usage.share { if case .locked = $0 { true } else { false } }.bytes > 50_000)
            #expect(report.usage.reclaimable == CollectReport.Share())
        }
        #expect(memory.keys.filter { before.contains($0) } == before)

        clock.pass(days: 20)
        let report = try collect()
        #expect(report.locked.isEmpty && report.remaining.isEmpty && report.deleted.bytes > 50_000)
        #expect(memory.keys.filter { before.contains($0) }.count < before.count)
        #expect(store.vainDeletes.isEmpty)
        #expect(try estate.content(of: kept) == shared)
        let left = try Collector(try estate.open()).plan().items.filter { $0.fate != .live }
        #expect(left.filter { $0.object.name.kind != .checkpoint } == [])
    }

    @Test func whatIsLockedIsNotRepacked() throws {
        let shared = estate.bytes(30_000)
        let first = try estate.backUp(estate.bytes(100_000) + shared + estate.bytes(170_000), name: "pc")
        let kept = try estate.backUp(shared, name: "pc")
        _ = try estate.open().forget([first.id])
        var options = Collector.Options()
        options.repackBelow = 0.5
        #expect(try collect(options).repacked.packs == 0)
        clock.pass(days: 31)
        let report = try collect(options)
        #expect(report.repacked.packs == 1 && report.deleted.bytes > 300_000 && store.vainDeletes.isEmpty)
        #expect(try estate.content(of: kept) == shared)
    }

    private func collect(_ options: Collector.Options = .init()) throws -> CollectReport {
        var collector = Collector(try CollectTests.open(store, estate), options)
        return try collector.run()
    }
}
