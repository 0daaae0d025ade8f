import Capture
import ObjectStore
import Platform
import Repository
import Restore
import Sealing
import Support

/// A repository in memory, a source and a place to restore to, from one seed.
final class Estate {
    let store: StrictStore
    let surroundings: Surroundings
    let temporary: TemporaryDirectory
    let source: String
    private let passphrase = Array("correct horse".utf8)

    /// - Parameter features: what its charter requires; nil for what a new one does.
    init(seed: UInt64 = 1, features: [String]? = nil) throws {
        store = StrictStore()
        surroundings = .seeded(seed)
        temporary = try TemporaryDirectory("restore")
        source = temporary("source")
        try Directory.make(at: Array(source.utf8))
        var bundle = try KeyBundle.make(surroundings: surroundings)
        if let features, case .charter(var charter) = bundle.charter.content {
            charter.features = features
            bundle.charter = try Statement(.charter(charter), of: bundle.repository, root: bundle.root)
        }
        let slot = try Slot.wrap(bundle, passphrase: passphrase, cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot.bytes], site: try SigningKey(random: surroundings),
            surroundings: surroundings)
    }

    func open(base: Repository? = nil) throws -> Repository {
        try Repository.open(
            store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings, base: base)
    }

    // MARK: - Trees

    func backUp(
        _ paths: [String], options: CaptureOptions = CaptureOptions()
    ) throws -> (snapshot: Snapshot, report: CaptureReport, counters: BackupSession.Counters) {
        let session = try open().beginBackup()
        let (root, report) = try TreeCapture(into: session, options: options).run(paths.map { AbsolutePath($0) })
        return (try commit(root, into: session, report), report, session.counters)
    }

    func commit(_ root: ContentRef, into session: BackupSession, _ report: CaptureReport) throws -> Snapshot {
        try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 1), host: "host",
                streams: [.init(label: "", content: .tree(root), bytes: report.bytes, files: report.files)],
                incomplete: report.incomplete))
    }

    /// Commits a tree that no capture would make: entries straight into the root, which may nest.
    func commitForged(_ build: (BackupSession) throws -> ContentRef) throws -> Snapshot {
        let session = try open().beginBackup()
        return try commit(try build(session), into: session, CaptureReport())
    }

    func root(of snapshot: Snapshot) throws -> ContentRef {
        guard case .tree(let root) = snapshot.part.streams[0].content else { throw Failure(.failed, "no tree") }
        return root
    }

    func plan(_ snapshot: Snapshot, options: RestoreOptions = RestoreOptions()) throws -> RestorePlan {
        try RestorePlan(try SnapshotReader(try open(), snapshot), root: try root(of: snapshot), options: options)
    }

    func restore(
        _ snapshot: Snapshot, to target: String, options: RestoreOptions = RestoreOptions()
    ) throws -> RestoreReport {
        try TreeRestore.run(
            try plan(snapshot, options: options), to: AbsolutePath(temporary(target)), surroundings: surroundings)
    }

    // MARK: - Disks

    func backUpDisk(_ path: String) throws -> (snapshot: Snapshot, report: CaptureReport) {
        let session = try open().beginBackup()
        let (disk, report) = try DiskCapture.run(try DiskImage.open(AbsolutePath(path)), into: session)
        let snapshot = try session.commit(
            .init(
                name: "disk", time: Timestamp(seconds: 1), host: "host",
                streams: [.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)]))
        return (snapshot, report)
    }

    func disk(of snapshot: Snapshot) throws -> DiskReader {
        guard case .disk(let disk) = snapshot.part.streams[0].content else { throw Failure(.failed, "no disk") }
        return DiskReader(try SnapshotReader(try open(), snapshot), disk)
    }
}
