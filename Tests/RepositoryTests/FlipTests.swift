import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// One flipped byte in any object: named by the check, never wrong data, and made good from another vault.
struct FlipTests {
    private static let flips = 24

    /// Flips one byte of an object of `folder`, at random, again and again, each time in a fresh copy of the vault.
    private func flip(
        _ folder: String, seed: UInt64, _ body: (DamageEstate, StrictStore, String) throws -> Void
    ) throws {
        let damage = try DamageEstate(seed: seed)
        var dice = Seed(seed)
        let keys = damage.keys(folder)
        try #require(!keys.isEmpty)
        for _ in 0..<Self.flips {
            let store = damage.store.copy()
            let key = keys[dice.below(keys.count)]
            let mask = UInt8(1 + dice.below(255))
            store.alter(key) { $0[dice.below($0.count)] ^= mask }
            try body(damage, store, key)
        }
    }

    /// The snapshots that need an object, worked out from the undamaged vault.
    private func users(_ key: String, _ damage: DamageEstate) throws -> [Digest] {
        let repository = try damage.open(damage.store)
        let name = try #require(ObjectName(path: key))
        return try repository.log.state.snapshots.filter {
            try repository.log.state.needs(of: $0.value, repository.objects).contains(name.digest)
        }.map(\.key).sorted()
    }

    @Test(arguments: ["packs", "manifests", "sets", "envelopes"])
    func whatSnapshotsNeedIsNamedAndTakenFromTheOtherVault(folder: String) throws {
        try flip(folder, seed: 50) { damage, store, key in
            let touched = try users(key, damage)
            #expect(!touched.isEmpty)
            let report = try damage.check(store)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.findings.first?.snapshots == touched)
            // The first snapshot's set names its own packs, as the log does; the second's others besides.
            let ofSet: CheckReport.Finding.Recovery =
                touched.contains(damage.snapshots[0]) ? .remadeFromLog : .perhapsRemade
            #expect(report.findings.first?.recovery == (folder == "sets" ? ofSet : .perhapsAnotherVault))

            let alone = try damage.outcomes(try damage.open(store))
            #expect(!alone.values.contains(.wrong))
            #expect(alone.filter { !touched.contains($0.key) }.allSatisfy { $0.value == .right })
            // Without a set the packs of the snapshot's sessions serve.
            if folder == "sets" { #expect(touched.allSatisfy { alone[$0] == .right }) }
            if folder == "manifests" || folder == "envelopes" {
                #expect(touched.allSatisfy { alone[$0] == .failed })
            }

            let twin = try damage.open(damage.store.copy())
            let helped = try damage.outcomes(try damage.open(store, also: [twin]))
            #expect(helped.count == damage.truth.count)
            #expect(helped.values.allSatisfy { $0 == .right })
            #expect(try damage.check(store, also: [twin]).findings.map(\.recovery) == [.otherVault("first")])
        }
    }

    @Test func aRecordIsReadFromItsOtherHalf() throws {
        try flip("log", seed: 51) { damage, store, key in
            let report = try damage.check(store)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.findings.first?.damage == .half)
            #expect(report.findings.first?.recovery == .secondHalf)
            #expect(report.snapshotsTouched.isEmpty)
            let outcomes = try damage.outcomes(try damage.open(store))
            #expect(outcomes.count == damage.truth.count)
            #expect(outcomes.values.allSatisfy { $0 == .right })
            // And nothing stops: the log goes on.
            let content = damage.estate.bytes(80_000)
            let snapshot = try DamageEstate.backUp(content, into: try damage.open(store))
            let again = try damage.open(store)
            #expect(try DamageEstate.everything(of: try again.findSnapshot(snapshot.id.hex), in: again).count > 80_000)
        }
    }

    @Test func aSegmentIsRebuiltAndNothingIsLost() throws {
        try flip("segments", seed: 52) { damage, store, key in
            let report = try damage.check(store)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.findings.first?.recovery == .rebuiltFromPacks)
            #expect(report.snapshotsTouched.isEmpty)
            #expect(report.snapshots == 2)
            let outcomes = try damage.outcomes(try damage.open(store))
            #expect(outcomes.count == damage.truth.count)
            #expect(outcomes.values.allSatisfy { $0 == .right })
        }
    }

    @Test func ofAKeySlotTheOtherCopyOpens() throws {
        try flip("slots", seed: 53) { damage, store, key in
            let other = try #require(damage.keys("slots").first { $0 != key })
            let report = try damage.check(store)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.findings.first?.recovery == .otherCopy(other))
            #expect(report.snapshotsTouched.isEmpty)
            #expect(try damage.outcomes(try damage.open(store)).values.allSatisfy { $0 == .right })
        }
    }

    @Test func ofASiteKeyTheOtherCopyServesAndReadersDoWithoutAny() throws {
        try flip("sitekeys", seed: 54) { damage, store, key in
            let other = try #require(damage.keys("sitekeys").first { $0 != key })
            var report = try damage.check(store)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.findings.first?.recovery == .otherCopy(other))
            #expect(report.snapshotsTouched.isEmpty)
            #expect(try damage.open(store).keys.site != nil)
            var repairer = Repairer(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(7))
            #expect(try repairer.run().healed.map(\.object) == [key] && damage.check(store).isClean)

            for name in [key, other] { store.alter(name) { $0[$0.count / 2] ^= 1 } }
            report = try damage.check(store)
            #expect(Set(report.findings.map(\.object)) == [key, other])
            let repository = try damage.open(store)
            #expect(repository.keys.site == nil)
            #expect(try damage.outcomes(repository).values.allSatisfy { $0 == .right })
        }
    }

    /// As in a vault that was made before there were two.
    @Test func aSiteKeyThatLiesThereOnceIsNoDamageAndARepairPutsTheSecond() throws {
        let damage = try DamageEstate(seed: 57)
        let store = damage.store.copy()
        store.forget(try #require(damage.keys("sitekeys").last))
        #expect(try damage.open(store).keys.site != nil)
        let report = try damage.check(store)
        #expect(report.isClean && report.notes.contains { $0.contains("site key lies here once") })
        for again in [false, true] {
            var repairer = Repairer(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(again ? 8 : 7))
            let repaired = try repairer.run()
            #expect(repaired.items == [] && repaired.notes.isEmpty == again)
            #expect(store.keys.count { $0.hasPrefix("sitekeys/") } == 2)
        }
        #expect(try damage.check(store).notes == damage.check(damage.store).notes)
    }

    @Test func theGenesisIsReadFromItsOtherHalf() throws {
        let damage = try DamageEstate(seed: 55)
        let key = try Record.key(0).text
        var dice = Seed(55)
        for _ in 0..<Self.flips {
            let store = damage.store.copy()
            store.alter(key) { $0[dice.below($0.count)] ^= UInt8(1 + dice.below(255)) }
            #expect(try damage.check(store).findings.map(\.object) == [key])
            #expect(try damage.outcomes(try damage.open(store)).values.allSatisfy { $0 == .right })
        }
    }

    @Test func withoutReadDataADamagedEndOfAPackIsStillFound() throws {
        let damage = try DamageEstate(seed: 56)
        for key in damage.keys("packs") {
            for place in [0, 20, 87, -1, -40] {
                let store = damage.store.copy()
                store.alter(key) { $0[place < 0 ? $0.count + place : place] ^= 4 }
                #expect(try damage.check(store, readData: false).findings.map(\.object) == [key])
            }
        }
    }
}
