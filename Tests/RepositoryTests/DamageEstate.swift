import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// A repository with two snapshots of a tree, a document and a disk in several packs, and what they must read back as.
final class DamageEstate: Sendable {
    let store: StrictStore
    let estate: Estate
    /// By snapshot id: the bytes of everything in it, in a fixed order.
    var truth: [Digest: [UInt8]] { made.access { $0.truth } }
    var snapshots: [Digest] { made.access { $0.snapshots } }
    private let made = Monitor((truth: [Digest: [UInt8]](), snapshots: [Digest]()))

    init(seed: UInt64) throws {
        store = StrictStore("first")
        estate = try Estate(seed: seed, store: store)
        let shared = estate.bytes(300_000)
        try backUp(shared + estate.bytes(200_000))
        try backUp(shared + estate.bytes(100_000))
    }

    func backUp(_ content: [UInt8]) throws {
        let repository = try estate.open()
        let snapshot = try Self.backUp(content, into: repository)
        let bytes = try Self.everything(of: snapshot, in: repository)
        made.access { made in
            made.snapshots.append(snapshot.id)
            made.truth[snapshot.id] = bytes
        }
    }

    /// Backs up a tree and a disk made of `content`.
    @discardableResult
    static func backUp(_ content: [UInt8], into repository: Repository) throws -> Snapshot {
        var options = BackupSession.Options()
        options.packBytes = 256 << 10
        options.groupBytes = 256 << 10
        let session = try repository.beginBackup(options)
        var file = session.makeContentWriter(.data)
        try file.append(content)
        try file.hole(100_000)
        let reference = try file.finish()
        let entry = TreeEntry(
            name: Array("文件".utf8), kind: .file, mode: 0o644, owner: 0, group: 0,
            modified: .init(seconds: 0, nanoseconds: 0), size: reference.length, content: reference)
        var inner = session.makeContentWriter(.tree)
        try inner.append(entry.framed)
        let folder = TreeEntry(
            name: Array("inner".utf8), kind: .directory, mode: 0o755, owner: 0, group: 0,
            modified: .init(seconds: 0, nanoseconds: 0), content: try inner.finish())
        var root = session.makeContentWriter(.tree)
        try root.append(folder.framed)
        let tree = try root.finish()
        var disk = try DiskWriter(session, size: 1 << 20)
        try content.prefix(65536).withUnsafeBytes { try disk.put(3, $0) }
        let diskReference = try disk.finish()
        return try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 5), host: "",
                streams: [
                    .init(label: "files", content: .tree(tree), bytes: reference.length, files: 1),
                    .init(label: "disk", content: .disk(diskReference), bytes: 1 << 20, files: 0),
                ]))
    }

    /// Opens a store that holds this repository, or a damaged copy of it.
    func open(
        _ store: any ObjectStore, also alternates: [Repository] = [], heads: any HeadMemory = NoHeadMemory(),
        seed: UInt64 = 99
    ) throws -> Repository {
        try Repository.open(
            store, .passphrase(estate.passphrase), heads: heads, surroundings: .seeded(seed), also: alternates)
    }

    /// Every byte a snapshot holds.
    static func everything(of snapshot: Snapshot, in repository: Repository) throws -> [UInt8] {
        let reader = try SnapshotReader(repository, snapshot)
        var all: [UInt8] = Array(snapshot.name.utf8)
        func read(_ content: ContentRef) throws {
            try reader.forEachChunk(of: content) { chunk, _ in
                all += chunk.id == .hole ? [UInt8](repeating: 0, count: Int(chunk.length)) : try reader.read(chunk.id)
            }
        }
        for stream in snapshot.part.streams {
            switch stream.content {
            case .machine(let document): try read(document)
            case .tree(let root):
                var waiting = [root]
                while let directory = waiting.popLast() {
                    try reader.forEachEntry(of: directory) { entry in
                        all += entry.framed
                        guard let content = entry.content else { return }
                        if entry.kind == .directory { waiting.append(content) } else { try read(content) }
                    }
                }
            case .disk(let disk):
                let opened = DiskReader(reader, disk)
                var bytes = [UInt8](repeating: 1, count: Int(disk.size))
                try bytes.withUnsafeMutableBytes { try opened.read(at: 0, into: $0) }
                all += bytes
            }
        }
        return all
    }

    func check(
        _ store: any ObjectStore, readData: Bool = true, also alternates: [Repository] = []
    ) throws -> CheckReport {
        var options = Checker.Options()
        options.readData = readData
        return try Checker.check(try open(store, also: alternates), options)
    }

    /// Reads every snapshot that the log of the opened repository knows.
    /// - Returns: by id, whether it came back; wrong bytes are a failure of the test.
    func outcomes(_ repository: Repository) throws -> [Digest: Outcome] {
        var outcomes: [Digest: Outcome] = [:]
        for (digest, committed) in repository.log.state.snapshots {
            do {
                let bytes = try Self.everything(of: try repository.snapshot(committed), in: repository)
                outcomes[digest] = bytes == truth[digest] ? .right : .wrong
            } catch is Failure { outcomes[digest] = .failed }
        }
        return outcomes
    }

    enum Outcome { case right, wrong, failed }

    /// Keys of the objects of a kind.
    func keys(_ folder: String) -> [String] { store.keys.filter { $0.hasPrefix(folder + "/") } }
}
