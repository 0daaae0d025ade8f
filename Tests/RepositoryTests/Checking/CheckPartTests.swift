import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// The check by byte budget: so much a run, everything once a round, whatever becomes of the vault meanwhile.
struct CheckPartTests {
    private final class Kept: CheckMemory {
        let place = Monitor<CheckPlace?>(nil)
        func place(of vault: VaultID, at location: String) throws(Failure) -> CheckPlace? { place.access { $0 } }
        func keep(_ place: CheckPlace, of vault: VaultID, at location: String) throws(Failure) {
            self.place.access { $0 = place }
        }
    }

    private func keyless(_ store: any ObjectStore) throws -> Repository {
        try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
    }

    private func round(_ store: any ObjectStore, _ memory: Kept, upTo limit: UInt64) throws -> [CheckReport] {
        var reports: [CheckReport] = []
        repeat {
            reports.append(try Checker.check(try keyless(store), upTo: limit, memory))
        } while reports.last?.part?.isRoundComplete == false && reports.count < 1000
        return reports
    }

    @Test func aRoundLooksAtEveryObjectOnceWithinTheBudget() throws {
        let damage = try DamageEstate(seed: 47)
        var options = Checker.Options()
        options.readData = true
        let whole = try Checker.check(try keyless(damage.store), options)
        let memory = Kept()
        for number: UInt64 in 1...2 {
            let reports = try round(damage.store, memory, upTo: 50_000)
            #expect(reports.count > 2)
            #expect(reports.allSatisfy { $0.isClean && $0.part?.round == number })
            #expect(reports.reduce(0) { $0 + $1.objects } == whole.objects)
            // What is read twice of a pack is its beginning and its footer.
            #expect(reports.allSatisfy { $0.objects == 1 || $0.bytes < 55_000 })
            #expect(reports.last?.part?.bytes == reports.reduce(0) { $0 + $1.bytes })
            #expect(reports.reduce(0) { $0 + $1.bytes } == whole.bytes)
        }
    }

    @Test func damageIsNamedByTheRunThatComesToItWithWhatItTouches() throws {
        let damage = try DamageEstate(seed: 48)
        for folder in ["packs", "log", "sets", "slots", "segments"] {
            let store = damage.store.copy()
            let key = try #require(damage.keys(folder).last)
            store.alter(key) { $0[$0.count / 3] ^= 1 }
            let reports = try round(store, Kept(), upTo: 100_000)
            let found = reports.flatMap(\.findings)
            #expect(found.map(\.object) == [key])
            #expect(found.first?.snapshots.isEmpty == !["packs", "sets"].contains(folder))
        }
    }

    @Test func aVaultThatChangedIsGoneOnWithFromThePlace() throws {
        let damage = try DamageEstate(seed: 49)
        let store = damage.store.copy()
        let memory = Kept()
        let first = try Checker.check(try keyless(store), upTo: 400_000, memory)
        let place = try #require(memory.place.access { $0?.after })
        #expect(first.part?.isRoundComplete == false && place.hasPrefix("packs/"))
        // What lay there is collected, and something new comes.
        _ = try damage.open(store).forget(damage.snapshots)
        _ = try DamageEstate.backUp(damage.estate.bytes(300_000), into: try damage.open(store, seed: 5))
        var options = Collector.Options()
        options.releasesClaims = true
        var collector = Collector(try damage.open(store, seed: 6), options)
        #expect(try collector.run().deleted.objects > 0)
        #expect(!store.keys.contains(place))
        let behind = store.keys.filter { $0 > place && $0.hasPrefix("packs/") }
        let victim = try #require(behind.last)
        store.alter(victim) { $0[100] ^= 1 }
        let rest = try round(store, memory, upTo: 200_000)
        #expect(rest.flatMap(\.findings).map(\.object) == [victim])
        #expect(rest.allSatisfy { $0.part?.round == 1 })
        // The last of them recalls what one of them found.
        #expect(rest.last?.part?.isRoundComplete == true && rest.last?.part?.damagedRuns == 1)
        // And a place past everything begins the next round at once.
        memory.place.access { $0 = CheckPlace(round: 7, after: "zz") }
        #expect(try Checker.check(try keyless(store), upTo: 1, memory).part?.round == 8)
    }

    @Test func placesAreKeptByVaultAndLocation() throws {
        let folder = try TemporaryDirectory("check-places")
        let memory = try DirectoryCheckMemory(at: folder("checks"))
        let vault = VaultID.random(.seeded(1))
        #expect(try memory.place(of: vault, at: "here") == nil)
        let place = CheckPlace(round: 3, after: "packs/ab/cd", bytes: 12, damagedRuns: 2)
        try memory.keep(place, of: vault, at: "here")
        try memory.keep(CheckPlace(round: 4), of: vault, at: "there")
        #expect(try memory.place(of: vault, at: "here") == place)
        #expect(try memory.place(of: vault, at: "there") == CheckPlace(round: 4))
        #expect(try memory.place(of: .random(.seeded(2)), at: "here") == nil)
    }
}
