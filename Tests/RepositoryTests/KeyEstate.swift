import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// One repository with two snapshots, for changing its keys; what they must read back as is known.
final class KeyEstate {
    let store: StrictStore
    let estate: Estate
    let contents: [[UInt8]]
    private(set) var snapshots: [Digest] = []
    let first: SlotKey
    let second = SlotKey.passphrase(Array("another".utf8))

    init(seed: UInt64) throws {
        store = StrictStore("vault")
        estate = try Estate(seed: seed, store: store)
        first = .passphrase(estate.passphrase)
        let shared = estate.bytes(90_000)
        contents = [shared, shared + estate.bytes(20_000)]
        for content in contents { snapshots.append(try estate.backUp(content, name: "desk").id) }
    }

    func open(_ store: any ObjectStore, _ key: SlotKey? = nil, also: [Repository] = [], seed: UInt64 = 5) throws
        -> Repository
    {
        try Repository.open(
            store, .slot(key ?? first), heads: NoHeadMemory(), surroundings: .seeded(seed), also: also)
    }

    func change(_ store: any ObjectStore, _ key: SlotKey? = nil, seed: UInt64 = 5) throws -> KeyChange {
        try KeyChange([try open(store, key, seed: seed)], surroundings: .seeded(seed + 100))
    }

    /// Whether every snapshot reads back right by a key.
    func readsBack(_ store: any ObjectStore, _ key: SlotKey? = nil) throws -> Bool {
        let repository = try open(store, key)
        for (id, content) in zip(snapshots, contents) {
            guard try estate.content(of: try repository.findSnapshot(id.hex), in: repository) == content else {
                return false
            }
        }
        return true
    }

    /// Backs up by a key, and says whether it reads back.
    func takesBackups(_ store: any ObjectStore, _ key: SlotKey? = nil) throws -> Bool {
        let content = estate.bytes(30_000)
        let session = try open(store, key, seed: 77).beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(contents[1] + content)
        let reference = try writer.finish()
        let id = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 2), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)])
        ).id
        let repository = try open(store, key, seed: 78)
        return try estate.content(of: try repository.findSnapshot(id.hex), in: repository) == contents[1] + content
    }
}
