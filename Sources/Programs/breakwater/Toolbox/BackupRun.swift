import Capture
import Glibc
import ObjectStore
import Platform
import Repository
import Synchronization

/// One backup on its way from sources to a draft of a snapshot.
final class BackupRun {
    let session: BackupSession
    private let sources: Sources
    private let bench: Workbench
    private let repository: Repository
    private let name: String
    private let options: CaptureOptions
    private let progress: Progress
    private let time: Timestamp
    private var streams: [SealedPart.Stream] = []
    private var memories: [(memory: DiskMemory, disk: EarlierDisk.Name)] = []
    /// What was done before the stream at hand.
    private var before = (bytes: UInt64(0), files: UInt64(0))

    private(set) var warnings: [CaptureReport.Warning] = []
    private(set) var bytesRead: UInt64 = 0
    private(set) var bytesInherited: UInt64 = 0
    /// Why the whole disk was read in spite of a change map.
    private(set) var wholeRead: Failure?
    private(set) var unreadable: UInt64 = 0
    private(set) var changed: UInt64 = 0
    private(set) var excluded: UInt64 = 0
    private(set) var firstExcluded: [String] = []

    init(
        _ sources: Sources, of name: String, _ session: BackupSession, in repository: Repository, _ bench: Workbench,
        _ options: CaptureOptions
    ) {
        self.name = name
        self.repository = repository
        self.options = options
        self.sources = sources
        self.session = session
        self.bench = bench
        progress = bench.progress("backing up")
        time = bench.surroundings.now()
    }

    func capture() throws {
        let survey =
            bench.console.drawsProgress
            ? Survey(sources.paths, disks: sources.disks.reduce(0) { $0 + $1.source.size }, options, progress) : nil
        defer { survey?.stop() }
        if !sources.paths.isEmpty {
            var options = options
            let vault = repository.store.location
            options.leaveOut = vault.hasPrefix("/") ? [AbsolutePath(vault)] : []
            options.watch = watch()
            let (root, report) = try TreeCapture(into: session, options: options).run(sources.paths)
            if sources.disks.isEmpty, let emptiness = report.emptiness { throw emptiness }
            let label = sources.disks.isEmpty ? "" : "files"
            add(.init(label: label, content: .tree(root), bytes: report.bytes, files: report.files), report)
        }
        for (index, source) in sources.disks.enumerated() {
            let label = diskLabel(index)
            let known = EarlierDisk.Name(label: label, size: source.source.size)
            let memory = bench.memory(ofDisk: label, of: name, in: repository)
            let (disk, report) = try DiskCapture.run(
                source.source, into: session, since: changes(of: known, memory), memory: memory, watch: watch())
            if let memory, report.isComplete { memories.append((memory, known)) }
            add(.init(label: label, content: .disk(disk), bytes: report.bytes, files: 0), report)
        }
    }

    /// What tells which blocks of the disk are as they were. Where nothing does, the reason is kept, and all is read.
    private func changes(of disk: EarlierDisk.Name, _ memory: DiskMemory?) -> DiskChanges? {
        guard let (map, since) = sources.changes else { return nil }
        do throws(Failure) {
            return try DiskChanges.find(map, since: since, of: name, disk, memory: memory, in: repository)
        } catch {
            wholeRead = error
            return nil
        }
    }

    /// The only stream needs no label; several disks are told apart by the names of their images.
    private func diskLabel(_ index: Int) -> String {
        if sources.paths.isEmpty && sources.disks.count == 1 { return "" }
        if sources.disks.count == 1 { return "disk" }
        let last = sources.disks.map { $0.image.components.last ?? [] }
        let name = String(decoding: last[index], as: UTF8.self)
        let isOnly = last.filter { $0 == last[index] }.count == 1
        return isOnly && !name.isEmpty && name != "files" ? name : "disk\(index + 1)"
    }

    private func watch() -> @Sendable (CaptureReport) throws -> Void {
        let (progress, before) = (progress, before)
        return {
            try progress.update(bytes: before.bytes + max($0.bytes, $0.bytesRead), files: before.files + $0.files)
        }
    }

    private func add(_ stream: SealedPart.Stream, _ report: CaptureReport) {
        streams.append(stream)
        before.bytes += report.bytes
        before.files += stream.files
        warnings += report.warnings
        bytesRead += report.bytesRead
        bytesInherited += report.bytesInherited
        wholeRead = wholeRead ?? report.wholeRead
        unreadable += report.unreadable
        changed += report.changed
        excluded += report.excluded
        firstExcluded += report.firstExcluded
    }

    /// Keeps what is known of the disks for the next backup, once this one is committed.
    func remember(_ snapshot: Snapshot) throws(Failure) {
        for (memory, disk) in memories { try memory.save(as: snapshot.id, disk) }
    }

    func draft() -> BackupSession.Draft {
        BackupSession.Draft(
            name: name, time: time, host: Self.host, streams: streams, incomplete: unreadable + changed)
    }

    static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Adds up beside a backup what it will find, so that somebody who watches sees how long it takes. Looks at names and
/// sizes only, and gives up quietly where it may not look.
private final class Survey {
    private let isStopped = Shared()
    private let thread: EngineThread

    private final class Shared: Sendable {
        let flag = Atomic<Bool>(false)
    }

    /// - Parameter disks: bytes of them, which are known.
    init(_ paths: [AbsolutePath], disks: UInt64, _ options: CaptureOptions, _ progress: Progress) {
        let oneFileSystem = options.oneFileSystem
        thread = EngineThread(name: "survey") { [isStopped] in
            var bytes = disks
            var seen: Set<UInt64> = []
            var waiting: [(path: [UInt8], fileSystem: UInt64?)] = []

            func take(_ status: FileStatus, _ path: [UInt8], _ parent: UInt64?) {
                if status.kind == .file {
                    if status.links == 1 || seen.insert(status.inode).inserted { bytes += status.size }
                } else if status.kind == .directory, parent == nil || !oneFileSystem || parent == status.fileSystem {
                    waiting.append((path, status.fileSystem))
                }
            }

            for path in paths {
                let number = unsafe Name.with(path.bytes) {
                    unsafe open($0, Directory.locating | O_NOFOLLOW | O_CLOEXEC)
                }
                guard number >= 0 else { continue }
                if let status = try? FileStatus(of: number, label: "") { take(status, path.bytes, nil) }
                close(number)
            }
            while let next = waiting.popLast() {
                if isStopped.flag.load(ordering: .relaxed) { return }
                guard let directory = try? Directory(at: next.path), let entries = try? directory.entries() else {
                    continue
                }
                for entry in entries where entry.kind == .file || entry.kind == .directory || entry.kind == .unknown {
                    guard let status = try? directory.status(of: entry.name) else { continue }
                    take(status, next.path + [UInt8(ascii: "/")] + entry.name, next.fileSystem)
                }
            }
            progress.expect(bytes)
        }
    }

    func stop() {
        isStopped.flag.store(true, ordering: .relaxed)
        thread.join()
    }
}
