import ObjectStore
import Platform
import Repository
import Support
import Testing

/// Objects that are there and that this user may not read.
struct ForbiddenTests {
    private let estate: RepairEstate

    init() throws { estate = try RepairEstate.shared.get() }

    @Test(arguments: ["segments", "sets", "packs", "manifests", "envelopes", "slots", "sitekeys", "checkpoints"])
    func oneObjectIsNamedAndMended(_ folder: String) throws {
        let key = try #require(estate.keys(folder).first)
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let forbidding = ForbiddingStore(store, [key])
        // What is a hint, or has its like, keeps nobody from reading.
        let outcomes = try estate.damage.outcomes(estate.open(forbidding))
        #expect(!outcomes.values.contains(.wrong))
        if !["packs", "manifests", "envelopes"].contains(folder) {
            #expect(outcomes.values.allSatisfy { $0 == .right })
        }
        let findings = try estate.check(forbidding).findings
        let finding = try #require(findings.first { $0.object == key })
        #expect(finding.meaning.contains("cannot be read: Permission denied"))
        #expect(try estate.repair(forbidding, from: [twin]).isWhole)
        #expect(try estate.check(forbidding).isClean && estate.isRight(forbidding))
    }

    @Test func backupsGoOnWithoutASegment() throws {
        let store = estate.store.copy()
        let forbidding = ForbiddingStore(store, estate.keys("segments"))
        let content = estate.damage.estate.bytes(100_000)
        let snapshot = try DamageEstate.backUp(content, into: estate.damage.open(forbidding, seed: 43))
        #expect(try DamageEstate.everything(of: snapshot, in: estate.open(store)).count > content.count)
    }

    @Test func aRecordEndsTheLogAndIsNotGivenUp() throws {
        let records = estate.keys("log")
        let (store, twin) = (estate.store.copy(), try estate.twin())
        for key in store.keys where key.hasPrefix("checkpoints/") || key.hasPrefix("origins/") { store.forget(key) }
        let forbidding = ForbiddingStore(store, [records[2]])
        let repository = try estate.open(forbidding)
        let cut = try #require(repository.log.interruption)
        #expect(cut.number == 2 && cut.isUnread && !cut.isJunk)
        #expect(throws: Failure(.refused, "")) { try repository.planVoid(of: 2) }
        #expect(throws: Failure(.damaged, "")) { try repository.beginBackup() }
        let findings = try estate.check(forbidding).findings
        let finding = try #require(findings.first { $0.object == records[2] })
        #expect(finding.meaning.contains("cannot be read: Permission denied"))
        // Another vault lends it, and a repair puts it back.
        #expect(try !estate.open(forbidding, also: [estate.keyless(twin)]).log.isInterrupted)
        #expect(try estate.repair(forbidding, from: [twin]).healed.contains { $0.object == records[2] })
        #expect(try estate.isRight(forbidding))
    }

    @Test func aVaultOfWhichNothingCanBeReadIsNotReplaced() throws {
        let (store, twin) = (estate.store.copy(), try estate.twin())
        let before = store.counts
        let forbidding = ForbiddingStore(store, store.keys)
        #expect(throws: Failure(.refused, "")) { try estate.repair(forbidding, from: [twin]) }
        #expect(store.counts.puts == before.puts && store.counts.deletes == before.deletes)
    }
}
