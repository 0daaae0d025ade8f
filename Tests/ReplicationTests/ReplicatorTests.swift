import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Testing

/// A copy is a vault of its own, made without a key, and nothing is sent twice.
struct ReplicatorTests {
    @Test func aCopyRestoresOnItsOwnWithTheSamePassphrase() throws {
        let pair = try Pair(seed: 1)
        let first = pair.surroundings.random(1_500_000)
        let second = Array(first[0..<700_000]) + pair.surroundings.random(400_000)
        let ids = [try pair.backUp(first), try pair.backUp(second)]
        let report = try pair.replicator().run()
        #expect(report.isNew && report.copied == ids && report.shortfall == nil && report.packs >= 3)
        for key in pair.origin.keys { pair.origin.lose(key) }
        #expect(try pair.content(of: ids[0], in: pair.copy) == first)
        #expect(try pair.content(of: ids[1], in: pair.copy) == second)
        #expect(try pair.open(pair.copy).loadIndex(for: .writing).index.count > 0)
    }

    @Test func aSecondCopySendsNothing() throws {
        let pair = try Pair(seed: 2)
        try pair.backUp(pair.surroundings.random(600_000))
        _ = try pair.replicator().run()
        let before = pair.copy.keys
        let report = try pair.replicator().run()
        #expect(report.copied.isEmpty && report.alreadyThere == 1 && report.bytesSent == 0 && report.packs == 0)
        #expect(pair.copy.keys == before)
    }

    @Test func aLaterCopySendsTheDifferenceOnly() throws {
        let pair = try Pair(seed: 3)
        let content = pair.surroundings.random(2_000_000)
        try pair.backUp(content)
        _ = try pair.replicator().run()
        let id = try pair.backUp(content + pair.surroundings.random(100_000))
        let report = try pair.replicator().run()
        #expect(report.copied == [id] && report.bytesSent < 700_000 && report.bytesAlreadyThere > 1_000_000)
    }

    /// Into a vault that locks its data for 30 days: what a later snapshot shares with one that was copied 20 days before is
    /// locked for 30 more.
    @Test func aCopyIsLockedAsLongAsItsSnapshot() throws {
        let (day, start): (Int64, Int64) = (86_400, 1_800_000_000)
        let now = Monitor(Timestamp(seconds: start))
        let locked = LockedStore(
            StrictStore("locked"), folders: Set(ObjectKind.allCases.filter(\.isLocked).map(\.folder)), term: 30 * day,
            now: { now.access { $0 } })
        let pair = try Pair(seed: 4)
        let content = pair.surroundings.random(1_000_000)
        try pair.backUp(content)
        _ = try pair.replicator(to: locked).run()
        let id = try pair.backUp(content + pair.surroundings.random(100_000))
        now.access { $0 = Timestamp(seconds: start + 20 * day) }
        #expect(try pair.replicator(to: locked).run().copied == [id])
        let repository = try pair.open(locked)
        let state = repository.log.state
        let committed = try #require(state.snapshots[id])
        let needs = try state.needs(of: committed, repository.log.pages)
        let names = state.objects.keys.filter { needs.contains($0.digest) || $0.kind == .segment }
        #expect(names.count > 8)
        for name in names { #expect(locked.ends[name.path] == Timestamp(seconds: start + 50 * day), "\(name)") }

        // Where that is refused, nothing is committed.
        let last = try pair.backUp(content + pair.surroundings.random(50_000))
        now.access { $0 = Timestamp(seconds: start + 40 * day) }
        locked.refuse("packs")
        #expect(throws: Failure(.refused, "")) { try pair.replicator(to: locked).run() }
        #expect(try pair.open(locked).log.state.snapshots[last] == nil)
    }

    @Test func whatSeveralSnapshotsShareIsCountedOnce() throws {
        let pair = try Pair(seed: 33)
        let content = pair.surroundings.random(1_000_000)
        for extra in 1...3 { try pair.backUp(content + pair.surroundings.random(extra * 1000)) }
        let first = try pair.replicator().run()
        #expect(first.copied.count == 3 && first.bytesAlreadyThere == 0)
        let shared = pair.copy.keys.filter { $0.hasPrefix("packs/") }
        let length = try shared.map { try pair.bytes(pair.copy, $0).count }.reduce(0, +)
        for extra in 1...2 { try pair.backUp(content + pair.surroundings.random(extra * 1000)) }
        let second = try pair.replicator().run()
        #expect(second.copied.count == 2)
        #expect(second.bytesAlreadyThere > 900_000 && second.bytesAlreadyThere <= length)
    }

    @Test(arguments: [false, true]) func aCopyCutOffAnywhereGoesOnAndFetchesNoPackTwice(isDone: Bool) throws {
        let whole = try Pair(seed: 4)
        let content = whole.surroundings.random(1_500_000)
        try whole.backUp(content)
        let counted = FaultyStore(whole.copy, seed: 0) { _ in }
        let packs = try whole.replicator(to: counted).run().packs
        for call in stride(from: 0, to: counted.calls, by: 3) {
            let pair = try Pair(seed: 4)
            let id = try pair.backUp(content)
            let dying = FaultyStore(pair.copy, seed: 0) {
                $0.crashAfter = call
                $0.crashingCallIsDone = isDone
            }
            #expect(throws: Failure(.cancelled, "")) { try pair.replicator(to: dying).run() }
            let there = pair.copy.keys.count { $0.hasPrefix("packs/") }
            let report = try pair.replicator().run()
            #expect(report.packs + there == packs, "cut off at call \(call)")
            #expect(try pair.content(of: id, in: pair.copy) == content)
            #expect(pair.copy.keys.count { $0.hasPrefix("packs/") } == packs)
        }
    }

    @Test func aDamagedSnapshotIsNamedAndTheOthersGoOn() throws {
        let pair = try Pair(seed: 5)
        let good = pair.surroundings.random(500_000)
        let bad = try pair.backUp(pair.surroundings.random(3_000_000), name: "bad")
        let badPack = try #require(pair.origin.keys.last { $0.hasPrefix("packs/") })
        pair.origin.alter(badPack) { $0[70_000] ^= 1 }
        let fine = try pair.backUp(good, name: "good")
        let report = try pair.replicator().run()
        #expect(report.damaged.map(\.snapshot) == [bad] && report.copied == [fine])
        #expect(report.shortfall == Failure(.partial, ""))
        #expect(try pair.content(of: fine, in: pair.copy) == good)
        #expect(!pair.copy.keys.contains { $0.hasPrefix(badPack.prefix(20)) })
        // Healed, it comes too, and what of it was put is not sent again.
        pair.origin.alter(badPack) { $0[70_000] ^= 1 }
        let again = try pair.replicator().run()
        #expect(again.copied == [bad] && again.packsResumed > 0 && again.shortfall == nil)
    }

    @Test func whatWasForgottenHereIsNotCopiedAgain() throws {
        let pair = try Pair(seed: 6)
        let id = try pair.backUp(pair.surroundings.random(100_000))
        _ = try pair.replicator().run()
        try pair.open(pair.copy).appendAsSite { _ in .forget([id]) }
        let report = try pair.replicator().run()
        #expect(report.copied.isEmpty && report.forgotten == 1)
    }

    @Test func aForeignDestinationAndTheVaultItselfAreRefused() throws {
        let pair = try Pair(seed: 7)
        let other = try Pair(seed: 8)
        #expect(throws: Failure(.refused, "")) { try pair.replicator(to: other.origin).run() }
        try pair.siteKeys.take(pair.site, at: "origin")
        #expect(throws: Failure(.refused, "")) { try pair.replicator(to: pair.origin).run() }
        #expect(throws: Failure(.refused, "")) { try pair.replicator(to: pair.origin.copy()).run() }
    }

    @Test func aDestinationWhoseSiteKeyIsElsewhereIsRefused() throws {
        let pair = try Pair(seed: 9)
        try pair.backUp(pair.surroundings.random(50_000))
        _ = try pair.replicator().run()
        pair.siteKeys.lose()
        let failure = #expect(throws: Failure.self) { try pair.replicator().run() }
        #expect(failure?.code == .refused && failure?.what.contains("site key") == true)
    }

    @Test func theRootsWordsApplyAtTheDestinationToo() throws {
        let pair = try Pair(seed: 10)
        try pair.backUp(pair.surroundings.random(50_000))
        _ = try pair.replicator().run()
        let author = AuthorID.random(pair.surroundings)
        func say(_ content: Statement.Content) throws {
            let statement = try Statement(content, of: pair.bundle.repository, root: pair.bundle.root)
            try pair.open(pair.origin).appendAsSite { _ in .statement(statement) }
        }
        try say(.revoke([author]))
        try say(.newGeneration(2, reader: try ReaderKey(generation: 2, secret: pair.surroundings.random(32)).publicKey))
        _ = try pair.replicator().run()
        let state = try pair.open(pair.copy).log.state
        #expect(state.revoked == [author] && state.newestReader == 2)
        try say(.destroyed)
        #expect(throws: Failure(.refused, "")) { try pair.replicator().run() }
        let look = try Repository.open(
            pair.copy, .keyless, heads: NoHeadMemory(), surroundings: pair.surroundings)
        #expect(look.log.state.isDestroyed)
        #expect(throws: Failure(.refused, "")) { try pair.open(pair.copy) }
        // Nothing of a destroyed repository goes to a new place.
        let fresh = StrictStore("fresh")
        #expect(throws: Failure(.refused, "")) { try pair.replicator(to: fresh).run() }
        #expect(fresh.keys.isEmpty)
    }

    @Test func theOriginsLogLiesBesideTheDataAndAnOriginRolledBackIsRefused() throws {
        let pair = try Pair(seed: 11)
        try pair.backUp(pair.surroundings.random(50_000))
        let old = pair.origin.copy()
        try pair.backUp(pair.surroundings.random(50_000))
        _ = try pair.replicator().run()
        let mirrored = pair.copy.keys.filter { $0.hasPrefix("origins/") }
        let log = pair.origin.keys.filter { $0.hasPrefix("log/") }
        #expect(mirrored.count == log.count)
        for (mirror, original) in zip(mirrored, log) {
            #expect(try pair.bytes(pair.copy, mirror) == pair.bytes(pair.origin, original))
        }
        let forgetful = Replicator(
            from: old, to: pair.copy, siteKeys: pair.siteKeys, heads: NoHeadMemory(), surroundings: pair.surroundings)
        let failure = #expect(throws: Failure.self) { try forgetful.run() }
        #expect(failure?.code == .refused && failure?.what.contains("rolled back") == true)
    }

    @Test func aCopyOfACopyReadsBack() throws {
        let pair = try Pair(seed: 12)
        let content = pair.surroundings.random(400_000)
        let id = try pair.backUp(content)
        _ = try pair.replicator().run()
        let third = StrictStore("third")
        let report = try pair.replicator(from: pair.copy, to: third).run()
        #expect(report.copied == [id])
        #expect(try pair.content(of: id, in: third) == content)
    }

    @Test func aRepackedOriginIsCopiedAsItLiesThere() throws {
        let pair = try Pair(seed: 13)
        let content = pair.surroundings.random(300_000)
        let id = try pair.backUp(content)
        // A repair: the same root under another name.
        let repository = try pair.open(pair.origin)
        let pack = try #require(repository.log.state.objects.keys.first { $0.kind == .pack })
        let renamed = ObjectName(kind: .pack, digest: pack.digest, session: .random(pair.surroundings))
        let bytes = try pair.bytes(pair.origin, pack.path)
        try pair.origin.put(try renamed.key(), bytes, use: .data)
        try repository.appendAsSite { state in
            .relocate(
                [.init(root: pack.digest, objects: [ObjectRef(name: renamed, length: UInt64(bytes.count))])],
                counted: state.head)
        }
        try pair.origin.delete(try pack.key())
        #expect(try pair.replicator().run().copied == [id])
        #expect(try pair.content(of: id, in: pair.copy) == content)
    }

    /// Its log takes nothing until it can be judged: said at once, with what to do, and that is enough.
    @Test func aDestinationWhoseLogWaitsForASetIsNamedAndTakesSnapshotsOnceItIsRepaired() throws {
        let pair = try Pair(seed: 17)
        try pair.backUp(pair.surroundings.random(300_000))
        _ = try pair.replicator().run()
        pair.copy.forget(try #require(pair.copy.keys.first { $0.hasPrefix("sets/") }))
        // As long as there is nothing to commit nothing is wrong.
        #expect(try pair.replicator().run().alreadyThere == 1)
        let content = pair.surroundings.random(300_000)
        let id = try pair.backUp(content)
        let packs = pair.copy.keys.count { $0.hasPrefix("packs/") }
        let failure = try #require(throws: Failure.self) { try pair.replicator().run() }
        #expect(failure.code == .damaged && failure.what.contains("cannot be judged"))
        #expect(failure.advice.contains("repair --vault copy --from origin"))
        #expect(pair.copy.keys.count { $0.hasPrefix("packs/") } == packs)
        let origin = try Repository.open(
            pair.origin, .keyless, heads: NoHeadMemory(), surroundings: pair.surroundings)
        var repairer = Repairer(
            pair.copy, .keyless, from: [origin], heads: NoHeadMemory(), surroundings: pair.surroundings)
        #expect(try repairer.run().isWhole)
        #expect(try pair.replicator().run().copied == [id])
        #expect(try pair.content(of: id, in: pair.copy) == content)
    }

    @Test func aPackLostAtTheDestinationIsNotLeantOn() throws {
        let pair = try Pair(seed: 16)
        let content = pair.surroundings.random(900_000)
        try pair.backUp(content)
        _ = try pair.replicator().run()
        let lost = pair.copy.keys.filter { $0.hasPrefix("packs/") }
        for key in lost { pair.copy.lose(key) }
        let id = try pair.backUp(content + [1])
        #expect(try pair.replicator().run().packs > 0)
        #expect(try pair.content(of: id, in: pair.copy) == content + [1])
    }

    @Test func theMeterReachesItsEnd() throws {
        let pair = try Pair(seed: 14)
        try pair.backUp(pair.surroundings.random(900_000))
        let last = Latest()
        _ = try pair.replicator().run(progress: { last.take($0) })
        let progress = try #require(last.value)
        #expect(progress.bytes == progress.bytesInAll && progress.bytes > 900_000)
        #expect(progress.snapshots == 1 && progress.snapshotsInAll == 1)
    }

    @Test func aCopyAskedToStopStops() throws {
        let pair = try Pair(seed: 15)
        try pair.backUp(pair.surroundings.random(100_000))
        #expect(throws: Failure(.cancelled, "")) { try pair.replicator().run(isCancelled: { true }) }
        #expect(try pair.replicator().run().copied.count == 1)
    }
}
