import Capture
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// A repository in memory and a source to capture, from one seed.
final class Estate {
    let store: StrictStore
    let surroundings: Surroundings
    let temporary: TemporaryDirectory
    let source: String
    private let passphrase = Array("correct horse".utf8)

    init(
        seed: UInt64 = 1, store: StrictStore = StrictStore(), now: Timestamp = Timestamp(seconds: 1_800_000_000)
    ) throws {
        self.store = store
        surroundings = .seeded(seed, start: now)
        temporary = try TemporaryDirectory("capture")
        source = temporary("source")
        try Directory.make(at: Array(source.utf8))
        let bundle = try KeyBundle.make(surroundings: surroundings)
        let slot = try Slot.wrap(bundle, passphrase: passphrase, cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot.bytes], site: try SigningKey(random: surroundings),
            surroundings: surroundings)
    }

    func open() throws -> Repository {
        try Repository.open(store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings)
    }

    /// Captures and commits, and gives every entry of the snapshot by its path.
    func capture(
        _ paths: [String], options: CaptureOptions = CaptureOptions()
    ) throws -> (entries: [String: TreeEntry], report: CaptureReport, counters: BackupSession.Counters) {
        let repository = try open()
        let session = try repository.beginBackup()
        let (root, report) = try TreeCapture(into: session, options: options).run(paths.map { AbsolutePath($0) })
        let snapshot = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 1), host: "host",
                streams: [.init(label: "", content: .tree(root), bytes: report.bytes, files: report.files)]))
        var entries: [String: TreeEntry] = [:]
        try collect(root, "", try SnapshotReader(try open(), snapshot), into: &entries)
        return (entries, report, session.counters)
    }

    private func collect(
        _ directory: ContentRef, _ path: String, _ reader: SnapshotReader, into entries: inout [String: TreeEntry]
    ) throws {
        var below: [(String, ContentRef)] = []
        try reader.forEachEntry(of: directory) { entry in
            let place = "\(path)/\(String(decoding: entry.name, as: UTF8.self))"
            entries[place] = entry
            if entry.kind == .directory, let content = entry.content { below.append((place, content)) }
        }
        for (place, content) in below { try collect(content, place, reader, into: &entries) }
    }

    func memory() throws -> FileMemory {
        let repository = try open()
        guard let secret = repository.keys.secret else { throw Failure(.failed, "no secret") }
        return FileMemory(
            at: AbsolutePath(temporary("state/memory")), secret: secret, repository: repository.id,
            surroundings: surroundings)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Descriptor.open("\(source)/\(name)", O_WRONLY | O_CREAT | O_EXCL, mode: 0o644).write(bytes)
    }
}
