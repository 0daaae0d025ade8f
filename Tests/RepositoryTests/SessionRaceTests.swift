import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// What happens beside a backup: a collector that let its claim go, a checkpoint that cannot be written.
struct SessionRaceTests {
    /// Lets every claim go, forgets everything, and takes it away as far as the rules allow.
    private func takeAway(_ estate: Estate) throws {
        let site = try estate.open()
        for claim in site.log.state.claims.keys.sorted() { try site.release(claim) }
        let state = try site.appendAsSite { .forget($0.snapshots.keys.sorted()) }
        let all = state.objects.map { ObjectRef(name: $0.key, length: $0.value.length) }.sorted { $0.name < $1.name }
        let manifests = all.filter { $0.name.kind == .manifest }
        try site.appendAsSite { .condemn(.inline(manifests), counted: $0.head) }
        #expect(try site.writeCheckpointIfDue(every: 1))
        try site.appendAsSite { _ in .collected(.inline(manifests)) }
    }

    @Test func aBackupWhoseEnvelopesWentIsRefusedAndTheNextOneSucceeds() throws {
        let estate = try Estate(seed: 90)
        let content = estate.bytes(300_000)
        _ = try estate.backUp(content, name: "desk")
        let repository = try estate.open()
        let session = try repository.beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(content)
        let document = try writer.finish()
        #expect(session.counters.newBytes == 0)
        try takeAway(estate)
        // It hears of it, as when another appender was quicker.
        try repository.log.refresh()
        let failure = #expect(throws: Failure.self) {
            _ = try session.commit(
                .init(
                    name: "desk", time: Timestamp(seconds: 1), host: "",
                    streams: [.init(label: "", content: .machine(document), bytes: document.length, files: 0)]))
        }
        #expect(failure?.code == .refused && failure?.advice.isEmpty == false, "\(failure.map { "\($0)" } ?? "")")
        let again = try estate.backUp(content, name: "desk")
        #expect(try estate.content(of: again) == content)
    }

    @Test func aCheckpointThatCannotBeWrittenIsSaidAndThrowsNothing() throws {
        let store = StrictStore()
        let estate = try Estate(seed: 91, store: store)
        _ = try estate.backUp(estate.bytes(1000), name: "desk")
        let repository = try estate.open()
        #expect(repository.writeCheckpointAfterWork(every: 1000) == nil)
        #expect(!store.keys.contains { $0.hasPrefix("checkpoints/") })
        let full = try Repository.open(
            FullStore(inner: store), .passphrase(estate.passphrase), heads: NoHeadMemory(), surroundings: .seeded(2))
        #expect(full.writeCheckpointAfterWork(every: 1)?.code == .failed)
        #expect(repository.writeCheckpointAfterWork(every: 1) == nil)
        #expect(store.keys.contains { $0.hasPrefix("checkpoints/") })
    }
}

/// Takes nothing more.
private struct FullStore: ObjectStore {
    let inner: StrictStore
    var location: String { inner.location }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        throw Failure(.full, "\(location) is full")
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] { try inner.get(key, range: range) }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func delete(_ key: StoreKey) throws(Failure) { try inner.delete(key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? { nil }
}
