import Engine
import ObjectStore
import Platform
import Repository
import S3Store
import Sealing
import Support

/// A repository in a vault of the real engine.
final class BucketEstate: Sendable {
    let engine: S3Engine
    let address: String
    let bundle: KeyBundle
    let site: SigningKey
    let keys: Keys

    /// What lies in the locked bucket of vaults that have one, as the toolbox has it.
    static let names = LockedNames(
        folders: Set(ObjectKind.allCases.filter(\.isLocked).map(\.folder)), longest: 1 << 30
    ) { key, bytes in ObjectName(path: key.text)?.promises(bytes) ?? false }

    /// - Parameter retain: how long data is locked; nil for a vault in one bucket.
    init(retain: String? = nil) throws {
        engine = try S3Engine()
        address = if let retain { try engine.makeLockedAddress(retain: retain) } else { try engine.makeAddress() }
        bundle = try KeyBundle.make(surroundings: .system)
        site = try SigningKey(random: .system)
        let slot = try Slot.wrap(bundle, passphrase: Array("x".utf8), cost: .light, surroundings: .system)
        _ = try Repository.create(
            in: try engine.open(address, Self.names), charter: bundle.charter, slots: [slot.bytes], site: site,
            surroundings: .system)
        keys = try Keys(owning: bundle, surroundings: .system)
    }

    /// The vault, as one more client sees it.
    func store() throws(Failure) -> any MendingStore { try engine.open(address, Self.names) }

    func open(_ store: (any ObjectStore)? = nil) throws -> Repository {
        try Repository.open(
            try store ?? self.store(), .granted(keys), expecting: bundle.repository, site: site, heads: NoHeadMemory(),
            surroundings: .system)
    }

    @discardableResult
    func backUp(_ content: [UInt8], name: String, into repository: Repository, packBytes: Int = 1 << 20) throws
        -> Snapshot
    {
        var options = BackupSession.Options()
        options.packBytes = packBytes
        let session = try repository.beginBackup(options)
        var writer = session.makeContentWriter(.tree)
        try writer.append(content)
        let reference = try writer.finish()
        return try session.commit(
            .init(
                name: name, time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
    }

    func content(of snapshot: Snapshot, in repository: Repository) throws -> [UInt8] {
        let reader = try SnapshotReader(repository, snapshot)
        guard case .machine(let reference) = snapshot.part.streams[0].content else {
            throw Failure(.failed, "no document")
        }
        var read: [UInt8] = []
        try reader.forEachChunk(of: reference) { chunk, _ in read += try reader.read(chunk.id) }
        return read
    }

    func check(_ repository: Repository, readData: Bool = false) throws -> CheckReport {
        var options = Checker.Options()
        options.readData = readData
        return try Checker.check(repository, options)
    }
}
