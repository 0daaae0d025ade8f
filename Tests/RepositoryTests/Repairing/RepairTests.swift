import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// What a repair takes, what it refuses, and what it does not bring back.
struct RepairTests {
    private let estate: RepairEstate

    init() throws { estate = try RepairEstate.shared.get() }

    private func longest(_ folder: String) throws -> String {
        let keys = try estate.keys(folder).sorted { try estate.bytes($0).count < estate.bytes($1).count }
        return try #require(keys.last)
    }

    private func flip(_ store: StrictStore, _ key: String, block: Int) {
        store.alter(key) { $0[block * 65536 + 100] ^= 1 }
    }

    // MARK: - Packs

    @Test func onlyTheDamagedBlocksAreFetched() throws {
        let pack = try longest("packs")
        let length = try estate.bytes(pack).count
        try #require(length > 3 * 65536)
        let (store, twin) = (estate.store.copy(), try estate.twin())
        flip(store, pack, block: 0)
        flip(store, pack, block: 2)
        let before = twin.counts.bytesGot
        var repairer = try estate.repairer(store, from: [twin])
        let opened = twin.counts.bytesGot
        let report = try repairer.run()
        #expect(report.isWhole && report.bytesFetched == 2 * 65536)
        #expect(twin.counts.bytesGot - opened < 3 * 65536 && opened > before)
        // The old one is as it was found, and condemned; the new one has its root.
        let names = try estate.open(store).log.state.names(of: .pack, try #require(ObjectName(path: pack)).digest)
        #expect(names.count == 1 && names.first?.path != pack)
        #expect(try estate.bytes(pack, in: store) != estate.bytes(pack))
    }

    @Test func vaultsDamagedInDifferentBlocksMakeOneWholePack() throws {
        let pack = try longest("packs")
        let (store, twin) = (estate.store.copy(), try estate.twin())
        flip(store, pack, block: 0)
        flip(twin, pack, block: 1)
        #expect(try estate.repair(store, from: [twin]).isWhole)
        #expect(try estate.check(store).isClean && estate.isRight(store))
    }

    @Test func whatAHostileVaultGivesIsHeldToItsHash() throws {
        for folder in ["packs", "manifests", "envelopes"] {
            let key = try longest(folder)
            let (store, twin) = (estate.store.copy(), try estate.twin())
            store.alter(key) { $0[70] ^= 1 }
            twin.alter(key) { $0[71] ^= 1 }
            let report = try estate.repair(store, from: [twin])
            #expect(report.left.map(\.object) == [key])
            #expect(try estate.check(store).findings.map(\.object) == [key])
            #expect(try !estate.damage.outcomes(estate.open(store)).values.contains(.wrong))
        }
    }

    @Test func contentOfWhatStaysDamagedIsStoredAgain() throws {
        let store = estate.store.copy()
        let content = estate.damage.estate.bytes(400_000)
        let old = Set(store.keys)
        try DamageEstate.backUp(content, into: try estate.damage.open(store, seed: 31))
        let new = store.keys.filter { $0.hasPrefix("packs/") && !old.contains($0) }
        for key in new { store.alter(key) { $0[$0.count / 2] ^= 1 } }
        let report = try estate.repair(store, from: [])
        #expect(Set(report.recorded.map(\.path)) == Set(new))
        let again = try DamageEstate.backUp(content, into: try estate.damage.open(store, seed: 32))
        let repository = try estate.open(store)
        #expect(try DamageEstate.everything(of: again, in: repository).count > content.count)
    }

    @Test func aBackupThatRunsMeanwhileCommits() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        for key in estate.keys("packs") + estate.keys("segments") { store.alter(key) { $0[$0.count / 2] ^= 1 } }
        let session = try estate.damage.open(store, seed: 41).beginBackup()
        let report = try estate.repair(store, from: [twin])
        #expect(report.isWhole)
        var writer = session.makeContentWriter(.tree)
        try writer.append(estate.damage.estate.bytes(50_000))
        let document = try writer.finish()
        _ = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 9), host: "",
                streams: [.init(label: "", content: .machine(document), bytes: document.length, files: 0)]))
        #expect(try estate.check(store).isClean)
        #expect(try estate.open(store).log.state.recoveryPoints.count == 4)
    }

    @Test func aDryRunSaysTheSameAndChangesNothing() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        for folder in ["packs", "sets", "segments", "log", "slots"] {
            let key = try #require(estate.keys(folder).last)
            store.alter(key) { $0[$0.count / 3] ^= 1 }
        }
        let before = store.counts
        var dry = try estate.repairer(store, from: [twin], isDryRun: true)
        let said = try dry.run()
        #expect(store.counts.puts == before.puts && store.counts.deletes == before.deletes)
        let done = try estate.repair(store, from: [twin])
        #expect(said.items == done.items && said.isDryRun && said.healed.count == 5)
        #expect(try estate.check(store).isClean)
    }

    @Test func withoutAKeyRecordsAndSmallObjectsArePutBack() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let small = ["sets", "manifests", "envelopes", "segments", "slots"].compactMap { estate.keys($0).first }
        for key in small { store.forget(key) }
        store.alter(try #require(estate.keys("log").dropFirst().first)) { $0 = [1] }
        let pack = try longest("packs")
        flip(store, pack, block: 0)
        var repairer = Repairer(
            store, .keyless, from: [try estate.keyless(twin)], heads: NoHeadMemory(), surroundings: .seeded(3))
        let report = try repairer.run()
        #expect(report.left.map(\.object) == [pack])
        #expect(try estate.check(store).findings.map(\.object) == [pack])
        // With the site's key alone the pack is repaired, too.
        let site = try #require(try estate.open(store).keys.site)
        var second = Repairer(
            store, .keyless, from: [try estate.keyless(twin)], site: site, heads: NoHeadMemory(),
            surroundings: .seeded(4))
        #expect(try second.run().isWhole)
        #expect(try estate.check(store).isClean && estate.isRight(store))
    }

    // MARK: - The log

    @Test func aLogThatLostItsEndIsLentItBeforeItIsComparedWithWhatWasSeen() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let heads = Seen()
        _ = try estate.damage.open(store, heads: heads)
        for key in estate.keys("log").suffix(3) { store.forget(key) }
        #expect(throws: Failure(.refused, "")) { try estate.damage.open(store, heads: heads) }
        var repairer = try estate.repairer(store, from: [twin], heads: heads)
        let report = try repairer.run()
        #expect(report.healed.count == 3 && report.isWhole)
        _ = try estate.damage.open(store, heads: heads)
        #expect(try estate.isRight(store))
    }

    /// Records since the last checkpoint are judged by it, although no snapshot needs it any more.
    @Test(arguments: [false, true]) func aSetByWhichTheLogIsJudgedIsPutBack(isCondemned: Bool) throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let repository = try estate.open(store)
        let last = try #require(repository.log.state.recoveryPoints.last)
        let digest = try #require(last.clear.sets.first)
        let (name, state) = (try #require(repository.log.state.names(of: .set, digest).first), repository.log.state)
        try #require(last.record > state.checkpoint?.record ?? 0)
        try repository.appendAsSite { _ in .forget([last.manifest.name.digest]) }
        if isCondemned {
            let length = try #require(state.objects[name]?.length)
            try repository.appendAsSite { .condemn(.inline([ObjectRef(name: name, length: length)]), counted: $0.head) }
        }
        store.alter(name.path) { $0[$0.count / 2] ^= 1 }
        #expect(try estate.open(store).log.state.undecided.isEmpty == false)
        #expect(try estate.check(store).findings.map(\.object) == [name.path])
        #expect(try estate.repair(store, from: [twin]).healed.map(\.object) == [name.path])
        #expect(try estate.open(store).log.state.undecided.isEmpty)
        #expect(try estate.check(store).isClean)
    }

    // MARK: - Sets

    /// What its snapshots refer to says what was in it.
    @Test func aSetThatNoVaultHasIsMadeAnew() throws {
        let sets = estate.keys("sets")
        try #require(sets.count > 1)
        for key in sets {
            let store = estate.store.copy()
            store.forget(key)
            // Meanwhile everything reads, and the log takes nothing.
            #expect(try estate.isRight(store))
            #expect(try estate.check(store).findings.map(\.object) == [key])
            let report = try estate.repair(store, from: [])
            #expect(report.isWhole && report.healed.map(\.object) == [key])
            #expect(try estate.bytes(key, in: store) == estate.bytes(key))
            #expect(try estate.check(store).isClean && estate.open(store).log.state.undecided.isEmpty)
        }
        // All at once, and altered instead of gone.
        let store = estate.store.copy()
        for key in sets { store.alter(key) { $0[$0.count / 2] ^= 1 } }
        #expect(try estate.repair(store, from: []).healed.count == sets.count)
        #expect(try estate.check(store).isClean && estate.isRight(store))
    }

    @Test func withoutThePacksASetOfItsOwnSessionAloneIsMadeAnew() throws {
        let store = estate.store.copy()
        for key in estate.keys("sets") + estate.keys("packs") { store.forget(key) }
        let report = try estate.repair(store, from: [])
        // Of snapshots that lean on their own session alone, whose packs the log names, and of no others.
        let healed = Set(report.healed.map(\.object))
        #expect(!healed.isEmpty && healed.isSubset(of: estate.keys("sets")) && healed.count < estate.keys("sets").count)
        #expect(try !estate.damage.outcomes(estate.open(store)).values.contains { $0 != .failed })
    }

    /// A bad sector: it is there, and cannot be read.
    @Test(arguments: ["log", "sets", "envelopes", "manifests"])
    func whatCannotBeReadIsTakenFromTheOtherVault(folder: String) throws {
        let twin = try estate.twin()
        for key in estate.keys(folder) {
            let store = estate.store.copy()
            store.spoil(key)
            let outcomes = try estate.damage.outcomes(try estate.open(store, also: [try estate.keyless(twin)]))
            #expect(outcomes.count == 3 && outcomes.values.allSatisfy { $0 == .right }, "\(key)")
            #expect(try estate.repair(store, from: [twin]).healed.map(\.object) == [key])
            #expect(try estate.check(store).isClean && estate.isRight(store), "\(key)")
        }
    }

    // MARK: - Stores that lie

    @Test(arguments: ["envelopes", "manifests", "sets"]) func whatAStoreSwallowsIsNotCommitted(folder: String) throws {
        let store = StrictStore()
        let estate = try Estate(seed: 91, store: store)
        store.swallow(folder)
        #expect(throws: Failure(.damaged, "")) { try estate.backUp(estate.bytes(20_000), name: "desk") }
        #expect(try estate.open().log.state.recoveryPoints.isEmpty)
    }

    private final class Seen: HeadMemory {
        private let head = Monitor<LogHead?>(nil)
        func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? { head.access { $0 } }
        func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {
            self.head.access { $0 = head }
        }
    }

    /// Another record was appended where the lost one was: that one stands.
    @Test func aRecordThatIsThereIsNotReplacedByTheMirrors() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let last = try #require(estate.keys("log").last)
        store.forget(last)
        let repository = try estate.open(store)
        _ = try repository.claim(.session(.random(.seeded(3))))
        let own = try estate.bytes(last, in: store)
        let report = try estate.repair(store, from: [twin])
        #expect(report.left.map(\.object) == [last] && report.healed.isEmpty)
        let fork = try #require(report.forks.first)
        #expect(report.forks.count == 2 && fork.records == 1 && fork.first == UInt64(last.dropFirst(4)))
        #expect(try estate.bytes(last, in: store) == own)
    }

    @Test(arguments: [[0, 1], [0, 1, 2, 3]] as [[UInt64]]) func theBeginningOfTheLogIsPutBack(lost: [UInt64]) throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        for number in lost { store.forget(try Record.key(number).text) }
        let report = try estate.repair(store, from: [twin])
        #expect(report.isWhole && report.healed.count == lost.count)
        #expect(try estate.check(store).isClean && estate.isRight(store))
    }

    /// A long log is opened by its checkpoint, and what lies before that is repaired all the same.
    @Test func aRecordFromBeforeTheCheckpointIsPutBack() throws {
        let store = estate.store.copy()
        let repository = try estate.open(store)
        for seed in 0..<80 {
            let claim = try repository.claim(.session(.random(.seeded(UInt64(1000 + seed)))))
            try repository.release(claim)
        }
        try repository.writeCheckpointIfDue(every: 1)
        for seed in 0..<2 { _ = try repository.claim(.session(.random(.seeded(UInt64(2000 + seed))))) }
        let twin = StrictStore("second")
        for key in store.keys {
            try twin.put(try #require(StoreKey(key)), try estate.bytes(key, in: store), use: .data)
        }
        let lost = try [5, 60].map { try Record.key($0).text }
        for key in lost { store.forget(key) }
        let report = try estate.repair(store, from: [twin])
        #expect(report.isWhole && report.healed.map(\.object) == lost, "\(report.items)")
        #expect(try estate.check(store).isClean)
    }

    // MARK: - What does not come back

    /// What was given up stays so: the log went on from that, and would end there if the record came back.
    @Test func aRecordThatWasVoidedDoesNotComeBack() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let keys = estate.keys("log")
        let (lost, number) = (keys[keys.count / 2], UInt64(keys.count / 2))
        store.alter(lost) { $0 = [1, 2, 3] }
        let owner = try estate.open(store)
        let plan = try owner.planVoid(of: number)
        #expect(plan.records > 0)
        try owner.void(plan)
        let content = estate.damage.estate.bytes(100_000)
        let id = try DamageEstate.backUp(content, into: try estate.open(store)).id
        let report = try estate.repair(store, from: [twin])
        #expect(!report.healed.map(\.object).contains(lost))
        #expect(try estate.bytes(lost, in: store) == [1, 2, 3])
        for others in [[], [try estate.keyless(twin)]] {
            let repository = try estate.open(store, also: others)
            #expect(repository.log.interruption == nil && repository.log.state.snapshots[id] != nil)
            _ = try DamageEstate.backUp(content, into: repository)
        }
    }

    @Test func aWithdrawnSlotStaysAway() throws {
        let store = estate.store.copy()
        let change = try KeyChange([try estate.damage.open(store, seed: 51)], surroundings: .seeded(52))
        let slot = try change.add(.passphrase(Array("another".utf8)), cost: .light)
        let twin = StrictStore("second")
        for key in store.keys {
            try twin.put(try #require(StoreKey(key)), try estate.bytes(key, in: store), use: .data)
        }
        try change.remove(slot)
        store.alter(try #require(estate.keys("slots").first)) { $0[40] ^= 1 }
        let report = try estate.repair(store, from: [twin])
        #expect(report.isWhole && report.healed.count == 1)
        #expect(store.keys.filter { $0.hasPrefix("slots/") } == estate.keys("slots"))
        #expect(throws: Failure(.refused, "")) {
            try Repository.open(
                store, .passphrase(Array("another".utf8)), heads: NoHeadMemory(), surroundings: .seeded(1))
        }
    }

    @Test func nothingOfAForgottenSnapshotComesBack() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let first = try #require(estate.damage.snapshots.first)
        _ = try estate.open(store).forget([first])
        let manifest = try #require(estate.keys("manifests").first { $0.contains(first.hex) })
        store.forget(manifest)
        let report = try estate.repair(store, from: [twin])
        #expect(report.isWhole && report.healed.isEmpty && report.items.map(\.object) == [manifest])
        #expect(!store.keys.contains(manifest))
    }

    /// On that a check and a repair agree. Of a pack the log must say so, since a backup may come to lean on it.
    @Test func whatNothingNeedsIsNoDamage() throws {
        let store = StrictStore()
        let own = try Estate(seed: 92, store: store)
        let content = own.bytes(60_000)
        let first = try own.backUp(content, name: "desk")
        let kinds = ["packs/", "envelopes/", "manifests/"]
        let hurt = store.keys.filter { kinds.contains(where: $0.hasPrefix) }.sorted()
        let last = try own.backUp(own.bytes(60_000), name: "desk")
        _ = try own.open().forget([first.id])
        for key in hurt { store.alter(key) { $0[$0.count / 2] ^= 1 } }
        let packs = hurt.filter { $0.hasPrefix("packs/") }
        try #require(packs.count == 1 && hurt.count == 3)
        func check() throws -> CheckReport {
            var options = Checker.Options()
            options.readData = true
            return try Checker.check(try own.open(), options)
        }
        func repair(_ access: Repository.Access) throws -> RepairReport {
            var repairer = Repairer(store, access, heads: NoHeadMemory(), surroundings: .seeded(7))
            return try repairer.run()
        }
        #expect(try check().findings.map(\.object) == packs)
        #expect(try check().unneeded.map(\.object) == hurt.filter { !packs.contains($0) })
        #expect(try repair(.keyless).left.map(\.object) == packs)
        let report = try repair(.passphrase(own.passphrase))
        #expect(report.isWhole && report.healed.isEmpty && report.recorded.map(\.path) == packs)
        #expect(Set(report.items.map(\.object)) == Set(hurt))
        let after = try check()
        #expect(after.isClean && after.unneeded.map(\.object) == hurt)
        #expect(try repair(.keyless).isWhole)
        // The same content is stored again, and reads back.
        let again = try own.backUp(content, name: "desk")
        #expect(try own.content(of: again) == content)
        var collector = Collector(try own.open())
        _ = try collector.run()
        #expect(try check().isClean && check().unneeded == [])
        #expect(!packs.contains(where: store.keys.contains))
        #expect(try own.open().log.state.recoveryPoints.map(\.manifest.name.digest) == [last.id, again.id])
    }

    @Test(arguments: [false, true]) func afterADestructionNothingIsRepaired(isHere: Bool) throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let ended = isHere ? store : twin
        let bundle = try #require(try estate.open(ended).keys.bundle)
        let statement = try Statement(.destroyed, of: bundle.repository, root: bundle.root)
        try estate.open(ended).appendAsSite { _ in .statement(statement) }
        let key = try #require(estate.keys("sets").first)
        store.forget(key)
        var repairer = Repairer(
            store, .keyless, from: [try estate.keyless(twin)], heads: NoHeadMemory(), surroundings: .seeded(3))
        #expect(throws: Failure(.refused, "")) { try repairer.run() }
        #expect(!store.keys.contains(key))
    }

    @Test func theVaultItselfAndAnotherRepositoryAreRefused() throws {
        let store = estate.store.copy()
        #expect(throws: Failure(.refused, "")) { try estate.repair(store, from: [store]) }
        let stranger = try DamageEstate(seed: 3)
        #expect(throws: Failure(.refused, "")) { try estate.repair(store, from: [stranger.store]) }
    }
}
