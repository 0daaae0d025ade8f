import ObjectStore
import Platform
import Repository
import Sealing
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
            // The object is named, and what is wrong with it does not name it again.
            #expect(report.findings.allSatisfy { !$0.meaning.isEmpty && !$0.meaning.contains(key) })
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

    /// Nothing is wrong with its objects, and none is to be replaced.
    @Test func aStoreThatGivesNoPartsEndsCheckAndRepair() throws {
        let damage = try DamageEstate(seed: 43)
        let store = WholeObjects(damage.store.copy())
        let before = store.inner.counts
        for readData in [false, true] {
            #expect(throws: Failure(.unsuited, "")) { try damage.check(store, readData: readData) }
        }
        let other = try Repository.open(
            damage.store.copy(), .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
        var repairer = Repairer(
            store, .passphrase(damage.estate.passphrase), from: [other], heads: NoHeadMemory(),
            surroundings: .seeded(2))
        #expect(throws: Failure(.unsuited, "")) { try repairer.run() }
        #expect(store.inner.counts.puts == before.puts && store.inner.counts.deletes == before.deletes)
    }
}

/// A store, or something on the way to it, that answers with the whole object where a part was asked for.
private final class WholeObjects: MendingStore {
    let inner: StrictStore

    init(_ inner: StrictStore) { self.inner = inner }

    var location: String { "\(inner.location), whole" }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        guard try inner.length(of: key) == UInt64(range.count) else { throw Failure(.unsuited, "no parts") }
        return try inner.get(key, range: range)
    }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.put(key, bytes, use: use)
    }
    func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.replace(key, bytes, use: use)
    }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func delete(_ key: StoreKey) throws(Failure) { try inner.delete(key) }
    func space() throws(Failure) -> StoreSpace? { try inner.space() }
}

/// Damage that a check found, once it is recorded, is never leaned on again; junk under a true id is such damage.
struct RecordedDamageTests {
    @Test func contentOfAPackRecordedAsDamagedIsStoredAgain() throws {
        let damage = try DamageEstate(seed: 45)
        let content = damage.estate.bytes(400_000)
        let store = damage.store.copy()
        let first = try DamageEstate.backUp(content, into: try damage.open(store, seed: 1))
        let old = Set(damage.keys("packs"))
        let key = try #require(store.keys.first { $0.hasPrefix("packs/") && !old.contains($0) })
        store.alter(key) { $0[$0.count / 2] ^= 1 }
        let report = try damage.check(store)
        let head = try damage.open(store).log.state.head
        #expect(report.findings.map(\.object) == [key])
        #expect(try damage.open(store).log.state.head == head)
        let repository = try damage.open(store, seed: 2)
        #expect(try repository.recordDamage(report).map(\.path) == [key])
        #expect(try repository.recordDamage(report) == [])
        let second = try DamageEstate.backUp(content, into: try damage.open(store, seed: 3))
        let again = try damage.open(store)
        let opened = try again.findSnapshot(second.id.hex)
        #expect(try DamageEstate.everything(of: opened, in: again).count > content.count)
        let after = try damage.check(store)
        #expect(after.findings.map(\.object) == [key])
        #expect(after.snapshotsTouched == [first.id])
    }

    /// A writer that names chunks by a secret of its own writes what looks right to everybody without keys.
    @Test func junkUnderATrueIdIsFoundWithTheKeysOnly() throws {
        let estate = try Estate(seed: 46)
        let honest = try estate.open()
        var keys = honest.keys
        keys.secret = WriterSecret(estate.bytes(32), repository: honest.id)
        let liar = try Repository.open(estate.store, .granted(keys), heads: NoHeadMemory(), surroundings: .seeded(3))
        let session = try liar.beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(estate.bytes(100_000))
        let document = try writer.finish()
        let snapshot = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .machine(document), bytes: document.length, files: 0)]))
        var options = Checker.Options()
        options.readData = true
        let report = try Checker.check(try estate.open(), options)
        let pack = try #require(report.findings.first { $0.name?.kind == .pack })
        #expect(pack.damage == .junk && pack.recovery == .none && pack.snapshots == [snapshot.id])
        let keyless = try Repository.open(estate.store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(4))
        #expect(try Checker.check(keyless, options).isClean)
        // And no reader takes it for the truth.
        let reader = try SnapshotReader(try estate.open(), snapshot)
        #expect(throws: Failure(.damaged, "")) {
            try reader.forEachChunk(of: document) { chunk, _ in _ = try reader.read(chunk.id) }
        }
    }
}
