import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A genesis lost in both halves is named, and read from another vault that has it.
struct GenesisTests {
    private let genesis = "log/0000000000000000"

    /// Another vault's store, with what a copier mirrors of this one.
    private func mirror(
        of store: StrictStore, vault: VaultID, in mirror: StrictStore = StrictStore("second")
    ) throws -> StrictStore {
        for key in store.keys where key.hasPrefix("log/") {
            let bytes = try store.get(try #require(StoreKey(key)), atMost: 1 << 30)
            try mirror.put(try #require(StoreKey("origins/\(vault)/\(key)")), bytes, use: .log)
        }
        return mirror
    }

    private func lose(_ isGone: Bool, in store: StrictStore) {
        if isGone { store.lose(genesis) } else { store.alter(genesis) { $0 = Array($0.prefix(90)) } }
    }

    @Test(arguments: [true, false]) func aLostGenesisIsNamed(isGone: Bool) throws {
        let damage = try DamageEstate(seed: 80)
        lose(isGone, in: damage.store)
        let failure = #expect(throws: Failure.self) { try damage.open(damage.store) }
        #expect(failure?.code == .damaged && failure?.what.contains(genesis) == true)
        let report = try #require(try CheckReport(ofLostGenesisIn: damage.store, isAlone: true))
        #expect(report.findings.map(\.object) == [genesis])
        #expect(report.findings[0].damage == (isGone ? .missing : .unreadable))
        #expect(report.snapshotsTouched == damage.snapshots.sorted())
    }

    @Test func whereThereIsNoneNothingIsLost() throws {
        #expect(try CheckReport(ofLostGenesisIn: StrictStore(), isAlone: true) == nil)
        #expect(try CheckReport(ofLostGenesisIn: try DamageEstate(seed: 81).store, isAlone: true) == nil)
        let failure = #expect(throws: Failure.self) {
            try Repository.open(StrictStore(), .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
        }
        #expect(failure?.code == .notFound)
    }

    @Test(arguments: [true, false]) func itIsReadFromTheMirror(isGone: Bool) throws {
        let damage = try DamageEstate(seed: 82)
        let mirror = try mirror(of: damage.store, vault: try damage.open(damage.store).vault)
        lose(isGone, in: damage.store)
        for access in [.passphrase(damage.estate.passphrase), .keyless] as [Repository.Access] {
            let repository = try Repository.open(
                damage.store, access, heads: NoHeadMemory(), surroundings: .seeded(1), mirrors: [mirror])
            #expect(repository.log.borrowed == [0: "second"])
            let report = try Checker.check(repository)
            #expect(report.findings.map(\.object) == [genesis])
            #expect(report.findings.map(\.recovery) == [.otherVault("second")])
        }
        let repository = try Repository.open(
            damage.store, .passphrase(damage.estate.passphrase), heads: NoHeadMemory(), surroundings: .seeded(1),
            mirrors: [mirror])
        #expect(try damage.outcomes(repository).values.filter { $0 == .right }.count == 2)
    }

    /// Each record names the one before it, so that the first that is left vouches for all before it.
    @Test(arguments: [true, false]) func whatFollowsItMayBeLostAsWell(isGone: Bool) throws {
        let damage = try DamageEstate(seed: 88)
        let mirror = try mirror(of: damage.store, vault: try damage.open(damage.store).vault)
        let lost = try (0..<3).map { try Record.key($0).text }
        for key in lost {
            if isGone { damage.store.forget(key) } else { damage.store.alter(key) { $0 = Array($0.prefix(90)) } }
        }
        let repository = try Repository.open(
            damage.store, .passphrase(damage.estate.passphrase), heads: NoHeadMemory(), surroundings: .seeded(1),
            mirrors: [mirror])
        #expect(repository.log.borrowed == [0: "second", 1: "second", 2: "second"])
        #expect(try Checker.check(repository).findings.map(\.object) == lost)
        #expect(try damage.outcomes(repository).values.filter { $0 == .right }.count == 2)
        // A mirror of which one is lost as well leads nowhere, without a key.
        mirror.forget("origins/\(repository.vault)/\(lost[1])")
        #expect(throws: Failure(.damaged, "")) {
            try Repository.open(
                damage.store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1), mirrors: [mirror])
        }
    }

    /// With no record left, the sealed site key tells the vault and its site, to whoever can open it.
    @Test(arguments: [true, false]) func aLogThatIsLostWholeIsPutBack(isGone: Bool) throws {
        let damage = try DamageEstate(seed: 89)
        let was = damage.store.copy()
        let vault = try damage.open(damage.store).vault
        let mirror = StrictStore("second")
        // It has a log of its own, which is not this vault's.
        _ = try Repository.create(
            in: mirror, charter: damage.estate.bundle.charter, slots: [], site: try SigningKey(random: .seeded(9)),
            surroundings: .seeded(9))
        _ = try self.mirror(of: damage.store, vault: vault, in: mirror)
        let records = damage.store.keys.filter { $0.hasPrefix("log/") }
        for key in records {
            if isGone { damage.store.forget(key) } else { damage.store.alter(key) { $0 = Array($0.prefix(90)) } }
        }
        let other = try Repository.open(mirror, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
        #expect(throws: Failure(.damaged, "")) {
            try Repository.open(
                damage.store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1), also: [other])
        }
        let opened = try damage.open(damage.store, also: [other])
        #expect(opened.vault == vault && opened.log.borrowed.count == records.count)
        #expect(try damage.outcomes(opened).values.filter { $0 == .right }.count == 2)
        var repairer = Repairer(
            damage.store, .passphrase(damage.estate.passphrase), from: [other], heads: NoHeadMemory(),
            surroundings: .seeded(2))
        let report = try repairer.run()
        #expect(report.isWhole && Set(records).isSubset(of: report.healed.map(\.object)))
        for key in records.compactMap({ StoreKey($0) }) {
            #expect(try damage.store.get(key, atMost: 1 << 30) == was.get(key, atMost: 1 << 30))
        }
    }

    /// Without the sealed site key nothing tells this vault's genesis from a forged one.
    @Test func withoutTheSealedSiteKeyNothingVouches() throws {
        let damage = try DamageEstate(seed: 90)
        let mirror = try mirror(of: damage.store, vault: try damage.open(damage.store).vault)
        for key in damage.store.keys where key.hasPrefix("log/") || key.hasPrefix("sitekeys/") {
            damage.store.forget(key)
        }
        let failure = #expect(throws: Failure.self) {
            try Repository.open(
                damage.store, .passphrase(damage.estate.passphrase), heads: NoHeadMemory(), surroundings: .seeded(1),
                mirrors: [mirror])
        }
        #expect(failure?.code == .damaged && failure?.advice.contains("repository copy") == true)
    }

    @Test func itIsReadFromACopyOfTheDirectory() throws {
        let damage = try DamageEstate(seed: 83)
        let twin = try damage.open(damage.store.copy())
        lose(true, in: damage.store)
        let repository = try damage.open(damage.store, also: [twin])
        #expect(try damage.outcomes(repository).values.filter { $0 == .right }.count == 2)
    }

    /// Whoever owns the other vault can sign a genesis with the true charter and a site key of his own.
    @Test func aForgedGenesisIsNotTaken() throws {
        let damage = try DamageEstate(seed: 84)
        let vault = try damage.open(damage.store).vault
        let own = try SigningKey(random: .seeded(9))
        let bundle = damage.estate.bundle
        let forged = try Record(
            repository: bundle.repository, vault: vault, number: 0, previous: .zero, checkpoint: 0, author: .site,
            body: .genesis(charter: bundle.charter, site: own.verifying), key: own)
        let mirror = StrictStore("second")
        try mirror.put(
            try Record.key(0, folder: "origins/\(vault)/log"), Record.object(forged.bytes), use: .log)
        lose(true, in: damage.store)
        #expect(throws: Failure(.damaged, "")) {
            try Repository.open(
                damage.store, .passphrase(damage.estate.passphrase), heads: NoHeadMemory(), surroundings: .seeded(1),
                mirrors: [mirror])
        }
    }
}
