import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// Slots and site keys, which are found by listing: junk among them, and junk that looks like them.
struct LooseObjectTests {
    /// Junk of a kind, under names that come before all others.
    private func fill(_ store: StrictStore, _ kind: ObjectKind, _ count: Int) throws {
        for number in 0..<count {
            let digits = String(number)
            let hex = String(repeating: "0", count: 64 - digits.count) + digits
            let digest = try #require(Digest(hex: hex))
            let name = ObjectName(kind: kind, digest: digest, session: .random(.seeded(UInt64(number))))
            try store.put(try #require(StoreKey(name.path)), [1, 2, 3], use: .log)
        }
    }

    @Test func junkHidesNoCopyOfASlotThatIsRemoved() throws {
        let keys = try KeyEstate(seed: 61)
        let old = try #require(try keys.open(keys.store).slots().first)
        _ = try keys.change(keys.store).add(keys.second, cost: .light)
        try fill(keys.store, .slot, 1203)
        try keys.change(keys.store).remove(old.digest)
        #expect(!keys.store.keys.contains { $0.hasPrefix("slots/\(old.digest)") })
        #expect(throws: Failure(.refused, "")) { try keys.open(keys.store) }
        #expect(try keys.readsBack(keys.store, keys.second))
        // Destroying takes the junk along.
        #expect(try keys.open(keys.store, keys.second).destroySlots() == 1204)
        #expect(!keys.store.keys.contains { $0.hasPrefix("slots/") })
    }

    @Test func whatNoSlotOpensBecauseAllAreJunkIsSaid() throws {
        let keys = try KeyEstate(seed: 62)
        for key in keys.store.keys where key.hasPrefix("slots/") { keys.store.forget(key) }
        try fill(keys.store, .slot, 1100)
        do {
            _ = try keys.open(keys.store)
            Issue.record("junk opened the repository")
        } catch let failure as Failure {
            #expect(failure.code == .damaged && failure.what.contains("1100 objects"))
            #expect(failure.advice.contains("All were looked at") && failure.advice.contains("repair --from"))
        }
    }

    @Test func slotsOfAnotherRepositoryAreNoneOfItsOwn() throws {
        let keys = try KeyEstate(seed: 63)
        let granted = Repository.Access.granted(try keys.open(keys.store).keys)
        for key in keys.store.keys where key.hasPrefix("slots/") { keys.store.forget(key) }
        let bundle = try KeyBundle.make(surroundings: .seeded(900))
        let slot = try Slot.wrap(bundle, keys.first, cost: .light, surroundings: .seeded(901))
        for seed in 0..<2 {
            try Repository.put(slot.bytes, as: .slot, session: .random(.seeded(UInt64(902 + seed))), keys.store)
        }
        let repository = try Repository.open(keys.store, granted, heads: NoHeadMemory(), surroundings: .seeded(3))
        #expect(try Checker.check(repository).notes.contains { $0.contains("no key slot is left") })
    }

    // MARK: - Site keys

    /// Both copies damaged, and a third that decodes and does not open.
    private func forge(_ store: StrictStore) throws -> (originals: [String], junk: ObjectName) {
        let originals = store.keys.filter { $0.hasPrefix("sitekeys/") }
        var bytes = try store.get(try #require(StoreKey(originals[0])), atMost: 1 << 20)
        bytes[bytes.count - 1] ^= 1
        let junk = try Repository.put(bytes, as: .siteKey, session: .random(.seeded(9)), store).name
        for key in originals { store.alter(key) { $0[$0.count / 2] ^= 1 } }
        return (originals, junk)
    }

    private func repair(
        _ store: StrictStore, _ access: Repository.Access, site: SigningKey? = nil
    ) throws -> RepairReport {
        var repairer = Repairer(store, access, site: site, heads: NoHeadMemory(), surroundings: .seeded(70))
        return try repairer.run()
    }

    @Test(arguments: [true, false]) func whatOnlyLooksLikeTheSiteKeyIsNotTakenForIt(isKeyed: Bool) throws {
        let keys = try KeyEstate(seed: 64)
        let (originals, junk) = try forge(keys.store)
        let before = Set(keys.store.keys)
        let report = try repair(keys.store, isKeyed ? .slot(keys.first) : .keyless)
        #expect(Set(report.left.map(\.object)) == Set(originals) && report.healed.isEmpty)
        #expect(Set(keys.store.keys) == before && before.contains(junk.path))
        let found = try Checker.check(try keys.open(keys.store))
        #expect(Set(found.findings.map(\.object)) == Set(originals))
        #expect(found.notes.contains { $0.contains("\(junk)") })
        // With the originals gone, a check does not take the junk for one.
        for key in originals { keys.store.forget(key) }
        #expect(try Checker.check(try keys.open(keys.store)).findings.map(\.object) == ["sitekeys/"])
    }

    @Test(arguments: [true, false]) func theSiteKeyAtHandIsSealedAnew(isKeyed: Bool) throws {
        let keys = try KeyEstate(seed: 65)
        let site = try #require(try keys.open(keys.store).keys.site)
        let (originals, _) = try forge(keys.store)
        let report = try repair(keys.store, isKeyed ? .slot(keys.first) : .keyless, site: site)
        #expect(Set(report.healed.map(\.object)) == Set(originals) && report.left.isEmpty)
        let repository = try keys.open(keys.store)
        #expect(repository.keys.site?.verifying == site.verifying)
        #expect(try Checker.check(repository).isClean)
    }

    // MARK: - Claims

    @Test func aBackupWithoutRoomForItsEnvelopeLetsItsClaimGo() throws {
        let keys = try KeyEstate(seed: 66)
        let full = ForbiddingStore(keys.store, full: "envelopes/")
        #expect(throws: Failure(.full, "")) { try keys.open(full).beginBackup() }
        #expect(try keys.open(keys.store).log.state.claims.isEmpty)
        #expect(try keys.takesBackups(keys.store))
    }
}
