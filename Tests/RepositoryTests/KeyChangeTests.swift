import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// Slots, generations, writers and the end, in one vault.
struct KeyChangeTests {
    private func bare(_ body: () throws -> Void) -> Failure? {
        do {
            try body()
            return nil
        } catch { return error as? Failure }
    }

    // MARK: - Slots

    @Test func anAddedPassphraseOpensAndARemovedOneDoesNot() throws {
        let keys = try KeyEstate(seed: 1)
        let old = try #require(try keys.open(keys.store).slots().first)
        let added = try keys.change(keys.store).add(keys.second, cost: .light)
        #expect(try keys.readsBack(keys.store) && keys.readsBack(keys.store, keys.second))
        #expect(try keys.open(keys.store).slots().map(\.names.count) == [2, 2])
        try keys.change(keys.store).remove(old.digest)
        #expect(bare { _ = try keys.open(keys.store) } == Failure(.refused, ""))
        #expect(try keys.readsBack(keys.store, keys.second))
        // The last one stays.
        let change = try keys.change(keys.store, keys.second)
        #expect(bare { try change.remove(added) } == Failure(.refused, ""))
        #expect(bare { try change.remove(old.digest) } == Failure(.notFound, ""))
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") }.count == 2)
    }

    @Test func aChangedPassphraseTakesThePlaceOfTheOldOne() throws {
        let keys = try KeyEstate(seed: 2)
        _ = try keys.change(keys.store).replace(keys.first, by: keys.second, cost: .light)
        #expect(bare { _ = try keys.open(keys.store) } == Failure(.refused, ""))
        #expect(try keys.readsBack(keys.store, keys.second))
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") }.count == 2)
    }

    @Test func slotsOfAnotherRepositoryArePassedOver() throws {
        let keys = try KeyEstate(seed: 3)
        // A making that was cut short left them, under the same passphrase.
        for seed in 0..<6 {
            let bundle = try KeyBundle.make(surroundings: .seeded(UInt64(900 + seed)))
            let slot = try Slot.wrap(bundle, keys.first, cost: .light, surroundings: .seeded(UInt64(950 + seed)))
            try Repository.put(
                slot.bytes, as: .slot, session: .random(.seeded(UInt64(970 + seed))), keys.store)
        }
        #expect(try keys.readsBack(keys.store))
        #expect(try keys.open(keys.store).slots().count == 1)
        #expect(try Checker.check(try keys.open(keys.store)).isClean)
    }

    // MARK: - Generations

    @Test func afterARotationOldAndNewSnapshotsReadBack() throws {
        let keys = try KeyEstate(seed: 4)
        let rotation = try keys.change(keys.store).rotate([keys.first], cost: .light)
        #expect(rotation.generation == 2 && rotation.resealed == 2)
        let repository = try keys.open(keys.store)
        #expect(repository.log.state.newestReader == 2)
        #expect(Set(repository.keys.readers.map(\.generation)) == [1, 2])
        #expect(try keys.readsBack(keys.store))
        #expect(try keys.takesBackups(keys.store))
        // A holder of the new private half alone reads everything.
        var only = repository.keys
        only.readers = repository.keys.readers.filter { $0.generation == 2 }
        let narrow = try Repository.open(
            keys.store, .granted(only), heads: NoHeadMemory(), surroundings: .seeded(1))
        for (id, content) in zip(keys.snapshots, keys.contents) {
            #expect(try keys.estate.content(of: try narrow.findSnapshot(id.hex), in: narrow) == content)
        }
    }

    @Test func aRetiredGenerationIsGoneFromSlotsAndEnvelopes() throws {
        let keys = try KeyEstate(seed: 5)
        let before = try keys.open(keys.store).keys.readers
        _ = try keys.change(keys.store).rotate([keys.first], cost: .light)
        let retired = try keys.change(keys.store).retire([keys.first], cost: .light)
        #expect(retired.generation == 2)
        let repository = try keys.open(keys.store)
        #expect(repository.keys.readers.map(\.generation) == [2])
        #expect(repository.keys.site != nil)
        #expect(repository.log.state.oldestReader == 2)
        #expect(try keys.readsBack(keys.store))
        #expect(try keys.takesBackups(keys.store))
        let sealed = keys.store.keys.filter { $0.hasPrefix("sitekeys/") }
        #expect(sealed.count == 2 && Set(sealed.map { $0.prefix { $0 != "." } }).count == 1)
        // Nothing that is needed is left to the old key alone.
        var old = repository.keys
        old.readers = before
        let narrow = try Repository.open(keys.store, .granted(old), heads: NoHeadMemory(), surroundings: .seeded(1))
        #expect(try keys.takesBackups(keys.store))
        let newest = try #require(try narrow.log.refresh().snapshots.values.max { $0.record < $1.record })
        #expect(bare { _ = try narrow.snapshot(newest) } == Failure(.refused, ""))
        // And again, from there.
        #expect(try keys.change(keys.store).rotate([keys.first], cost: .light).generation == 3)
        #expect(try keys.change(keys.store).retire([keys.first], cost: .light).generation == 3)
        #expect(try keys.readsBack(keys.store))
    }

    /// As when a stolen writer named it and never put it.
    @Test func anEnvelopeThatIsNotThereStopsNoRotationButARetirement() throws {
        let keys = try KeyEstate(seed: 8)
        let lost = try #require(keys.store.keys.filter { $0.hasPrefix("envelopes/") }.first)
        keys.store.forget(lost)
        let rotation = try keys.change(keys.store).rotate([keys.first], cost: .light)
        #expect(rotation.generation == 2 && rotation.resealed == 1)
        #expect(bare { _ = try keys.change(keys.store).retire([keys.first], cost: .light) } == Failure(.refused, ""))
        let repository = try keys.open(keys.store)
        #expect(Set(repository.keys.readers.map(\.generation)) == [1, 2])
        // Whatever leans on that session is lost with it, and once it is forgotten nothing is in the way.
        let leaning = repository.log.state.recoveryPoints.filter { point in
            point.clear.envelopes.contains { lost.contains($0.envelope.hex) }
        }
        #expect(!leaning.isEmpty && rotation.left.map(\.snapshot) == leaning.map(\.manifest.name.digest))
        // Nothing new leans on it.
        #expect(try keys.takesBackups(keys.store))
        try repository.appendAsSite { _ in .forget(leaning.map(\.manifest.name.digest)) }
        #expect(try keys.change(keys.store).retire([keys.first], cost: .light).left.isEmpty)
    }

    @Test func aSlotThatWouldBeLeftBehindStopsARotation() throws {
        let keys = try KeyEstate(seed: 6)
        _ = try keys.change(keys.store).add(keys.second, cost: .light)
        #expect(bare { _ = try keys.change(keys.store).rotate([keys.first], cost: .light) } == Failure(.refused, ""))
        #expect(try keys.open(keys.store).log.state.newestReader == 1)
        _ = try keys.change(keys.store).rotate([keys.first, keys.second], cost: .light)
        #expect(try keys.readsBack(keys.store) && keys.readsBack(keys.store, keys.second))
        #expect(try keys.takesBackups(keys.store, keys.second))
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") }.count == 4)
    }

    @Test func ofTwoRotationsAtOnceOneIsRefusedAndLeavesNothing() throws {
        let keys = try KeyEstate(seed: 7)
        let sleeper = OnceBefore(keys.store, "log/") {
            _ = try? keys.change(keys.store).rotate([keys.first], cost: .light)
        }
        let change = try KeyChange([try keys.open(sleeper, seed: 60)], surroundings: .seeded(61))
        sleeper.arm()
        #expect(bare { _ = try change.rotate([keys.first], cost: .light) } == Failure(.refused, ""))
        #expect(try keys.readsBack(keys.store))
        #expect(try keys.takesBackups(keys.store))
        #expect(try keys.open(keys.store).log.state.newestReader == 2)
    }

    // MARK: - Writers

    private func writer(_ keys: KeyEstate, _ name: String) throws -> WriterFile {
        let issued = try WriterFile(name: name, of: keys.estate.bundle, surroundings: .seeded(33))
        return try WriterFile(text: issued.text)
    }

    private func open(_ keys: KeyEstate, _ file: WriterFile) throws -> Repository {
        let granted = Keys(
            writerSecret: file.secret, repository: file.repository,
            author: .init(key: file.key, certificate: file.certificate), site: nil)
        return try Repository.open(
            keys.store, .granted(granted), expecting: file.repository, heads: NoHeadMemory(),
            surroundings: .seeded(34))
    }

    private func backUp(_ repository: Repository, _ content: [UInt8]) throws -> Snapshot {
        let session = try repository.beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(content)
        let reference = try writer.finish()
        return try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 2), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
    }

    @Test func aWriterBacksUpAndReadsNothing() throws {
        let keys = try KeyEstate(seed: 8)
        let repository = try open(keys, try writer(keys, "laptop"))
        let session = try repository.beginBackup()
        var content = session.makeContentWriter(.tree)
        try content.append(keys.contents[0])
        _ = try content.finish()
        // What is there already is found again.
        #expect(session.counters.newBytes == 0)
        try session.abandon()
        let snapshot = try backUp(repository, keys.contents[1])
        #expect(bare { _ = try repository.findSnapshot(snapshot.id.hex) } == Failure(.refused, ""))
        #expect(bare { _ = try repository.snapshots() } == Failure(.refused, ""))
        #expect(bare { _ = try repository.appendAsSite { _ in .forget([snapshot.id]) } } == Failure(.refused, ""))
        let owner = try keys.open(keys.store)
        #expect(try keys.estate.content(of: try owner.findSnapshot(snapshot.id.hex), in: owner) == keys.contents[1])
    }

    @Test func aRevokedWriterIsRefusedAlsoInTheMiddleOfABackup() throws {
        let keys = try KeyEstate(seed: 9)
        let file = try writer(keys, "laptop")
        let repository = try open(keys, file)
        let kept = try backUp(repository, keys.contents[1])
        let session = try repository.beginBackup()
        try keys.change(keys.store).revoke([try #require(file.author)])
        #expect(
            bare {
                _ = try session.commit(
                    .init(name: "desk", time: Timestamp(seconds: 2), host: "", streams: []))
            } == Failure(.refused, ""))
        #expect(bare { _ = try open(keys, file).beginBackup() } == Failure(.refused, ""))
        let owner = try keys.open(keys.store)
        #expect(try keys.estate.content(of: try owner.findSnapshot(kept.id.hex), in: owner) == keys.contents[1])
        // Another writer, and the owner, go on.
        _ = try backUp(try open(keys, try writer(keys, "desktop")), keys.contents[1])
        #expect(try keys.takesBackups(keys.store))
    }

    @Test func aWritersFileThatIsNoneIsRefused() throws {
        let keys = try KeyEstate(seed: 10)
        let text = try WriterFile(name: "a", of: keys.estate.bundle, surroundings: .seeded(1)).text
        for wrong in ["", "breakwater writer 1\n", String(text.dropLast(3)) + "\n", text + text, text.uppercased()] {
            #expect(bare { _ = try WriterFile(text: wrong) } == Failure(.damaged, ""))
        }
    }

    // MARK: - The end

    @Test func afterTheEndNothingOpens() throws {
        let keys = try KeyEstate(seed: 11)
        let writing = try open(keys, try writer(keys, "laptop"))
        let vault = try keys.open(keys.store)
        var kept: SigningKey?
        let confirmed = try Destruction(ended: [], living: [vault]).run { kept = $1 }
        #expect(confirmed.map(\.slots) == [1])
        #expect(kept?.verifying == vault.log.state.site)
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") } == [])
        let failure = try #require(bare { _ = try keys.open(keys.store) })
        #expect(failure == Failure(.refused, "") && failure.what.contains("destroyed"))
        let granted = bare {
            _ = try Repository.open(
                keys.store, .granted(vault.keys), heads: NoHeadMemory(), surroundings: .seeded(1))
        }
        #expect(granted == Failure(.refused, ""))
        #expect(bare { _ = try writing.beginBackup() } == Failure(.refused, ""))
        // What remains can be condemned without a key but the site's.
        let site = try Repository.open(
            keys.store, .keyless, site: kept, heads: NoHeadMemory(), surroundings: .seeded(1))
        let held = site.log.state.objects.filter { $0.key.kind == .pack }
            .map { ObjectRef(name: $0.key, length: $0.value.length) }
        try site.appendAsSite { .condemn(.inline(held), counted: $0.head) }
    }

    @Test func aSlotThatWasOnItsWayDuringTheEndIsGone() throws {
        let keys = try KeyEstate(seed: 12)
        let (slots, slow) = (keys.store.copy(), try keys.change(keys.store, seed: 60))
        _ = try Destruction(ended: [], living: [try keys.open(keys.store)]).run { _, _ in }
        #expect(bare { _ = try slow.add(keys.second, cost: .light) } == Failure(.refused, ""))
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") } == [])
        // One that a network held up until then goes when what is left is collected.
        let late = try #require(slots.keys.first { $0.hasPrefix("slots/") })
        let name = try #require(ObjectName(path: late))
        let bytes = try slots.get(try name.key(), atMost: name.kind.largest)
        try Repository.put(bytes, as: .slot, session: .random(.seeded(70)), keys.store)
        let site = try Repository.open(
            keys.store, .keyless, site: slow.vaults[0].keys.site, heads: NoHeadMemory(), surroundings: .seeded(1))
        var collector = Collector(site)
        _ = try collector.run()
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") } == [])
    }
}

/// A store that lets something happen just before its next put under a prefix.
private final class OnceBefore: ObjectStore, @unchecked Sendable {
    private let inner: StrictStore
    private let prefix: String
    private let event: () -> Void
    private let isArmed = Monitor(false)
    var location: String { inner.location }

    init(_ inner: StrictStore, _ prefix: String, _ event: @escaping () -> Void) {
        self.inner = inner
        self.prefix = prefix
        self.event = event
    }

    func arm() { isArmed.access { $0 = true } }

    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        if key.text.hasPrefix(prefix) {
            let isDue = isArmed.access { armed in
                defer { armed = false }
                return armed
            }
            if isDue { event() }
        }
        try inner.put(key, bytes, use: use)
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] { try inner.get(key, range: range) }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func delete(_ key: StoreKey) throws(Failure) { try inner.delete(key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? { try inner.space() }
}
