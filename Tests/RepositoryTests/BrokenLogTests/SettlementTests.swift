import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// Records that nobody can judge any more are decided, and everybody goes on from the same state.
struct SettlementTests {
    private let damage: DamageEstate
    private var store: StrictStore { damage.store }

    init() throws { damage = try DamageEstate(seed: 79) }

    /// Loses the sets that the last snapshot alone needs, and its manifest, so that nobody can make them anew.
    private func loseTheLastSnapshot() throws -> Digest {
        let points = try damage.open(store).log.state.recoveryPoints
        let last = try #require(points.last)
        let others = Set(points.dropLast().flatMap(\.clear.sets))
        for set in last.clear.sets where !others.contains(set) {
            for key in store.keys where key.contains(set.hex) { store.forget(key) }
        }
        for key in store.keys where key.contains(last.manifest.name.digest.hex) { store.forget(key) }
        return last.manifest.name.digest
    }

    private func collect() throws {
        for _ in 0..<2 {
            var options = Collector.Options()
            options.releasesClaims = true
            var collector = Collector(try damage.open(store), options)
            _ = try collector.run()
        }
    }

    private func plan(_ repository: Repository) throws -> Settlement {
        try #require(try repository.log.planSettlement())
    }

    // MARK: - A set

    @Test func aSnapshotWhoseSetIsLostEverywhereEndsNoVault() throws {
        let lost = try loseTheLastSnapshot()
        let repository = try damage.open(store)
        let failure = #expect(throws: Failure.self) { try repository.beginBackup() }
        #expect(failure?.code == .damaged && failure?.description.contains("repository settle") == true)
        let settlement = try plan(repository)
        #expect(
            settlement.decisions.map(\.snapshot) == [lost]
                && settlement.decisions.allSatisfy { $0.outcome == .asItReads })
        #expect(settlement.lost.isEmpty)
        try repository.settle(settlement)
        // As others see it.
        let after = try damage.open(store)
        #expect(after.log.state.undecided.isEmpty && after.log.state == repository.log.state)
        #expect(after.log.state.snapshots[lost] != nil)
        #expect(try after.log.planSettlement() == nil)
        try damage.backUp(damage.estate.bytes(100_000))
        #expect(try damage.open(store).forget([lost]).forgotten == [lost])
        try collect()
        #expect(try damage.check(store).isClean)
        #expect(try damage.outcomes(damage.open(store)).values.filter { $0 == .right }.count == 2)
    }

    @Test func whatWasNotPlannedIsNotDecided() throws {
        let writer = try damage.open(store)
        _ = try loseTheLastSnapshot()
        let repository = try damage.open(store)
        let settlement = try plan(repository)
        // Who could read the set before it was lost appends on.
        _ = try writer.claim(.session(.random(.seeded(3))))
        #expect(throws: Failure(.refused, "")) { try repository.settle(settlement) }
        #expect(try !damage.open(store).log.state.undecided.isEmpty)
        let keyless = try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(4))
        let again = try plan(keyless)
        #expect(throws: Failure(.refused, "")) { try keyless.settle(again) }
        try damage.open(store).settle(again)
        #expect(try damage.open(store).log.state.undecided.isEmpty)
    }

    /// What is no record is voided before anything is settled, though the log cannot be judged.
    @Test func junkBehindARecordThatCannotBeJudgedIsVoidedFirst() throws {
        _ = try loseTheLastSnapshot()
        let next = try damage.open(store).log.state.head + 1
        try store.put(try Record.key(next), [1, 2, 3], use: .log)
        let repository = try damage.open(store)
        let refusal = #expect(throws: Failure.self) { try plan(repository) }
        #expect(refusal?.code == .partial && refusal?.advice.contains("repository void") == true)
        #expect(throws: Failure(.damaged, "")) { try repository.claim(.session(.random(.seeded(3)))) }
        try repository.void(try repository.planVoid(of: next))
        #expect(throws: Failure(.damaged, "")) { try repository.claim(.session(.random(.seeded(3)))) }
        try repository.settle(try plan(repository))
        try damage.backUp(damage.estate.bytes(100_000))
        #expect(try damage.open(store).log.state.undecided.isEmpty)
    }

    @Test func whatCanBeReadElsewhereIsNotUndecided() throws {
        let twin = store.copy()
        _ = try loseTheLastSnapshot()
        let other = try damage.open(twin)
        let repository = try damage.open(store, also: [other])
        #expect(try repository.log.planSettlement() == nil)
    }

    // MARK: - A stolen writer

    /// Appends a commit of a snapshot of which nothing is there but what `set` and `listing` put.
    private func commitHollow(_ pack: ObjectRef, set: ObjectRef, envelope: ObjectRef, listing: Listing) throws -> Digest
    {
        let repository = try damage.open(store)
        let (state, author) = (repository.log.state, try #require(repository.keys.author))
        let clear = ClearPart(
            repository: state.repository, desktop: .random(.seeded(5)), generation: 1, sequence: 1, previous: nil,
            consistency: .crash, readerGeneration: state.newestReader, streams: [.machine], sets: [set.name.digest],
            leans: [], envelopes: [.init(session: pack.name.session, envelope: envelope.name.digest)],
            session: pack.name.session, salt: damage.estate.bytes(32))
        let key = SessionKey(session: clear.session, repository: state.repository, dataKey: damage.estate.bytes(32))
        let part = SealedPart(
            name: "", time: Timestamp(seconds: 0), host: "", streams: [], storedBytes: 0, incomplete: 0)
        let manifest = try Manifest(
            clear: clear, sealedPart: part, key: key, author: author.key, certificate: author.certificate)
        let reference = try Repository.put(manifest.bytes, as: .manifest, session: clear.session, store)
        let body = RecordBody.Commit(
            origin: .native, session: clear.session, manifest: reference, clear: manifest.clear.bytes, objects: listing)
        let record = try Record(
            repository: state.repository, vault: state.vault, number: state.head + 1, previous: state.headHash,
            checkpoint: state.checkpoint?.record ?? 0, author: .certified(author.certificate), body: .commit(body),
            key: author.key)
        try store.put(try Record.key(record.number), Record.object(record.bytes), use: .log)
        return reference.name.digest
    }

    private func reference(_ kind: ObjectKind, _ digest: Digest, _ session: SessionID) -> ObjectRef {
        ObjectRef(name: ObjectName(kind: kind, digest: digest, session: session), length: 900)
    }

    /// It names a set whose pack is not live: whoever could read the set knows that the commit has no effect. Once the set
    /// is gone it is taken as it reads, and who knew better goes on from that as well: what it committed otherwise would be
    /// seen by nobody else.
    @Test func whoJudgedOtherwiseGoesOnFromWhatWasDecided() throws {
        let session = SessionID.random(.seeded(6))
        let pack = reference(.pack, SHA256.hash([1]), session)
        let envelope = reference(.envelope, SHA256.hash([2]), session)
        let roots = PackSet(roots: [SHA256.hash([3])]).bytes
        let set = try Repository.put(roots, as: .set, session: session, store)
        let hollow = try commitHollow(pack, set: set, envelope: envelope, listing: .inline([pack, envelope, set]))
        let early = try damage.open(store)
        #expect(early.log.state.undecided.isEmpty && early.log.state.snapshots[hollow] == nil)
        store.forget(set.name.path)
        let repository = try damage.open(store)
        #expect(repository.log.state.undecided.map(\.cause) == [.set])
        try repository.settle(try plan(repository))
        #expect(repository.log.state.snapshots[hollow] != nil)
        #expect(try early.log.refresh() == repository.log.state)
        try damage.backUp(damage.estate.bytes(100_000))
        #expect(try early.log.refresh() == damage.open(store).log.state)
        // The thief's snapshot goes like every other.
        _ = try damage.open(store).forget([hollow])
        try collect()
        #expect(try damage.check(store).findings.isEmpty)
    }

    @Test func aCommitWhoseListingIsLostIsGivenUp() throws {
        let session = SessionID.random(.seeded(7))
        let pack = reference(.pack, SHA256.hash([1]), session)
        let envelope = reference(.envelope, SHA256.hash([2]), session)
        let set = try Repository.put(PackSet(roots: [pack.name.digest]).bytes, as: .set, session: session, store)
        let listing = Listing.page([pack, envelope, set])
        let page = reference(.page, SHA256.hash(listing), session)
        let hollow = try commitHollow(pack, set: set, envelope: envelope, listing: .paged([page]))
        let repository = try damage.open(store)
        #expect(repository.log.state.undecided.map(\.cause) == [.listing])
        #expect(repository.log.state.snapshots[hollow] != nil)
        let settlement = try plan(repository)
        #expect(settlement.decisions.map(\.outcome) == [.givenUp] && settlement.lost == [hollow])
        try repository.settle(settlement)
        let after = try damage.open(store)
        #expect(after.log.state.undecided.isEmpty && after.log.state.snapshots[hollow] == nil)
        try damage.backUp(damage.estate.bytes(100_000))
        #expect(try damage.outcomes(damage.open(store)).values.filter { $0 == .right }.count == 3)
        // Whoever reads the page after all does not begin to see the snapshot again.
        let name = try #require(StoreKey(page.name.path))
        try store.put(name, listing, use: .data)
        #expect(try damage.open(store).log.state.snapshots[hollow] == nil)
    }

    /// What the site says was deleted must not be taken for there.
    @Test func aLostListOfWhatGoesIsNotDecided() throws {
        let repository = try damage.open(store)
        let stranger = reference(.pack, .zero, .none)
        let page = try Repository.put(Listing.page([stranger]), as: .page, session: .random(.seeded(8)), store)
        try repository.appendAsSite { _ in .damaged(.paged([page])) }
        store.forget(page.name.path)
        let after = try damage.open(store)
        #expect(throws: Failure(.damaged, "")) { try plan(after) }
    }
}
