import Capture
import Glibc
import ObjectStore
package import Platform
package import Repository
import Sealing
package import Support

/// A repository in memory with snapshots to read, a source to back up, and a place to write to, from one seed.
package final class ReadingEstate {
    package let store: StrictStore
    package let surroundings: Surroundings
    package let temporary: TemporaryDirectory
    package let source: String
    private let passphrase = Array("correct horse".utf8)

    package init(_ label: String, seed: UInt64 = 1) throws {
        store = StrictStore()
        surroundings = .seeded(seed)
        temporary = try TemporaryDirectory(label)
        source = temporary("source")
        try Directory.make(at: Array(source.utf8))
        let bundle = try KeyBundle.make(surroundings: surroundings)
        let slot = try Slot.wrap(bundle, passphrase: passphrase, cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot.bytes], site: try SigningKey(random: surroundings),
            surroundings: surroundings)
    }

    package func open() throws -> Repository {
        try Repository.open(store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings)
    }

    // MARK: - Snapshots

    /// Backs the source up.
    @discardableResult
    package func backUp(name: String = "desk", seconds: Int64 = 1_800_000_000) throws -> Snapshot {
        let session = try open().beginBackup()
        let (root, report) = try TreeCapture(into: session, options: CaptureOptions()).run([AbsolutePath(source)])
        return try commit(
            [.init(label: "", content: .tree(root), bytes: report.bytes, files: report.files)], session, name, seconds)
    }

    package func backUpDisk(
        _ path: String, name: String = "machine", seconds: Int64 = 1_800_000_000
    ) throws -> Snapshot {
        let session = try open().beginBackup()
        let (disk, _) = try DiskCapture.run(try DiskImage.open(AbsolutePath(path)), into: session)
        return try commit([.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)], session, name, seconds)
    }

    /// Commits a tree that no capture would make.
    package func forge(
        name: String = "desk", seconds: Int64 = 1_800_000_000, _ build: (BackupSession) throws -> ContentRef
    ) throws -> Snapshot {
        let session = try open().beginBackup()
        let stream = SealedPart.Stream(label: "", content: .tree(try build(session)), bytes: 0, files: 0)
        return try commit([stream], session, name, seconds)
    }

    private func commit(
        _ streams: [SealedPart.Stream], _ session: BackupSession, _ name: String, _ seconds: Int64
    ) throws -> Snapshot {
        try session.commit(
            .init(name: name, time: Timestamp(seconds: seconds), host: "host", streams: streams, incomplete: 0))
    }

    package func root(of snapshot: Snapshot) throws -> ContentRef {
        guard case .tree(let root) = snapshot.part.streams[0].content else { throw Failure(.failed, "no tree") }
        return root
    }

    package func disk(of snapshot: Snapshot) throws -> DiskReader {
        guard case .disk(let disk) = snapshot.part.streams[0].content else { throw Failure(.failed, "no disk") }
        return DiskReader(try SnapshotReader(try open(), snapshot), disk)
    }

    /// Flips a bit in the middle of every pack, or of those that `isMeant` takes.
    package func damagePacks(_ isMeant: (String) -> Bool = { _ in true }) {
        for key in store.keys where key.hasPrefix("packs/") && isMeant(key) {
            store.alter(key) { $0[$0.count / 2] ^= 0x10 }
        }
    }

    // MARK: - Forged entries

    package static func directory(_ name: String, _ entries: [TreeEntry], _ session: BackupSession) throws -> TreeEntry
    {
        TreeEntry(
            name: Array(name.utf8), kind: .directory, mode: 0o755, owner: 0, group: 0,
            modified: .init(seconds: 1, nanoseconds: 0), content: try content(entries, session))
    }

    package static func content(_ entries: [TreeEntry], _ session: BackupSession) throws -> ContentRef {
        var writer = session.makeContentWriter(.tree)
        for entry in entries { try writer.append(entry.framed) }
        return try writer.finish()
    }

    package static func file(_ name: String, _ bytes: [UInt8], _ session: BackupSession) throws -> TreeEntry {
        var writer = session.makeContentWriter(.data)
        try writer.append(bytes)
        let content = try writer.finish()
        return TreeEntry(
            name: Array(name.utf8), kind: .file, mode: 0o644, owner: 0, group: 0,
            modified: .init(seconds: 1, nanoseconds: 0), size: content.length, content: content)
    }

    // MARK: - The source

    package func write(_ bytes: [UInt8], _ name: String) throws {
        let path = "\(source)/\(name)"
        let parent = AbsolutePath(path).components.dropLast()
        try Directory.make(at: AbsolutePath(components: Array(parent)).bytes)
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).write(bytes)
    }
}
