import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Synchronization

/// A repository in one vault and the place for its copy, both strict and in memory, from one seed.
final class Pair {
    let origin = StrictStore("origin")
    let copy = StrictStore("copy")
    let surroundings: Surroundings
    let bundle: KeyBundle
    let passphrase = Array("correct horse".utf8)
    let site: SigningKey
    let siteKeys = KeptSiteKeys()
    let heads = KeptHeads()

    init(seed: UInt64, cut: Charter.CutSizes? = nil) throws {
        surroundings = .seeded(seed)
        bundle =
            if let cut {
                try KeyBundle.make(cut: cut, surroundings: surroundings)
            } else {
                try KeyBundle.make(surroundings: surroundings)
            }
        site = try SigningKey(random: surroundings)
        let slot = try Slot.wrap(bundle, passphrase: passphrase, cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: origin, charter: bundle.charter, slots: [slot.bytes], site: site, surroundings: surroundings)
    }

    func open(_ store: any ObjectStore) throws -> Repository {
        try Repository.open(store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings)
    }

    func replicator(from other: (any ObjectStore)? = nil, to target: (any ObjectStore)? = nil) -> Replicator {
        Replicator(
            from: other ?? origin, to: target ?? copy, siteKeys: siteKeys, heads: heads, surroundings: surroundings)
    }

    /// Several packs of the seed's bytes.
    @discardableResult
    func backUp(
        _ content: [UInt8], name: String = "desk", in store: (any ObjectStore)? = nil, packBytes: Int = 256 << 10
    ) throws -> Digest {
        var options = BackupSession.Options()
        options.packBytes = packBytes
        options.groupBytes = 256 << 10
        let session = try open(store ?? origin).beginBackup(options)
        var writer = session.makeContentWriter(.data)
        try writer.append(content)
        let reference = try writer.finish()
        return try session.commit(
            .init(
                name: name, time: surroundings.now(), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)])
        ).id
    }

    func content(of snapshot: Digest, in store: any ObjectStore) throws -> [UInt8] {
        let repository = try open(store)
        let found = try repository.findSnapshot(snapshot.hex)
        let reader = try SnapshotReader(repository, found)
        guard case .machine(let reference) = found.part.streams[0].content else {
            throw Failure(.failed, "no document")
        }
        var read: [UInt8] = []
        try reader.forEachChunk(of: reference) { chunk, _ in
            read += chunk.id == .hole ? [UInt8](repeating: 0, count: Int(chunk.length)) : try reader.read(chunk.id)
        }
        return read
    }
}

final class KeptSiteKeys: SiteKeys {
    private let keys = Mutex<[String: SigningKey]>([:])

    func find(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey? {
        keys.withLock { $0[location] }
    }

    func make(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey {
        let key = try SigningKey(random: .system)
        keys.withLock { $0[location] = key }
        return key
    }

    fileprivate func put(_ key: SigningKey, _ location: String) { keys.withLock { $0[location] = key } }

    func lose() { keys.withLock { $0 = [:] } }
}

final class KeptHeads: HeadMemory {
    private let seen = Mutex<[VaultID: LogHead]>([:])

    func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? { seen.withLock { $0[vault] } }
    func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {
        seen.withLock { $0[vault] = head }
    }
}

extension KeptSiteKeys {
    func take(_ key: SigningKey, at location: String) throws { put(key, location) }
}

extension Pair {
    func bytes(_ store: StrictStore, _ key: String) throws -> [UInt8] {
        guard let key = StoreKey(key) else { throw Failure(.failed, "\(key) is no key") }
        return try store.get(key, atMost: 1 << 30)
    }

    func onlySnapshot() throws -> Digest? { try open(copy).log.state.snapshots.keys.first }
}

final class Latest: Sendable {
    private let kept = Mutex<CopyProgress?>(nil)
    var value: CopyProgress? { kept.withLock { $0 } }
    func take(_ progress: CopyProgress) { kept.withLock { $0 = progress } }
}
