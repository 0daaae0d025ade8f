import Platform
import Repository
import Support
import Testing

/// What a check says of a vault that is as it should be, and of one that is not.
struct CheckTests {
    @Test(arguments: [false, true]) func aWholeRepositoryIsClean(readData: Bool) throws {
        let damage = try DamageEstate(seed: 40)
        let report = try damage.check(damage.store, readData: readData)
        #expect(report.findings == [])
        #expect(report.snapshots == 2)
        #expect(report.orphans == 0)
        #expect(report.strangers == [])
        #expect(report.objects >= UInt64(damage.store.keys.count))
        #expect(damage.keys("packs").count >= 3)
    }

    @Test func aCheckWithoutKeysLooksAtEveryObject() throws {
        let damage = try DamageEstate(seed: 41)
        let keyless = try Repository.open(damage.store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
        var options = Checker.Options()
        options.readData = true
        let clean = try Checker.check(keyless, options)
        #expect(clean.isClean)
        for folder in ["packs", "segments", "envelopes", "sets", "manifests", "slots", "sitekeys"] {
            let store = damage.store.copy()
            let key = try #require(damage.keys(folder).first)
            store.alter(key) { $0[$0.count / 2] ^= 16 }
            let repository = try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
            let report = try Checker.check(repository, options)
            #expect(report.findings.map(\.object) == [key])
        }
    }

    @Test func progressCountsUpToTheEnd() throws {
        let damage = try DamageEstate(seed: 42)
        let heard = Monitor<[Checker.Progress]>([])
        let repository = try damage.open(damage.store)
        let report = try Checker.check(repository) { progress in heard.access { $0.append(progress) } }
        let all = heard.access { $0 }
        #expect(all.last?.phase == .snapshots)
        #expect(all.last?.done == 2)
        #expect(all.last?.bytes == report.bytes)
    }
}
