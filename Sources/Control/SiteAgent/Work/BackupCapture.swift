import Capture
import Model
import Platform
import Repository

/// The streams of one backup: the disk first, then the folders.
struct BackupCapture {
    private(set) var streams: [SealedPart.Stream] = []
    private(set) var files: UInt64 = 0
    /// Files that could not be read, or changed while they were.
    private(set) var incomplete: UInt64 = 0
    private(set) var warnings: [String] = []

    var bytes: UInt64 { streams.reduce(0) { $0 + $1.bytes } }

    mutating func addDisk(_ image: String, to session: BackupSession, _ context: WorkContext) throws {
        // The disk of a guest, who may have written anything into it.
        let source = try DiskImage.open(AbsolutePath(image), as: .raw)
        let (disk, report) = try DiskCapture.run(source, into: session) { report in
            try context.goOn()
            context.tell(JobProgress(stage: .reading, done: report.bytesRead))
        }
        streams.append(SealedPart.Stream(label: "system", content: .disk(disk), bytes: report.bytes, files: 0))
        note(report)
    }

    /// - Parameters:
    ///   - leavingOut: directories that are not captured, whatever leads to them: vault and state.
    ///   - memory: what an earlier backup of the desktop read.
    mutating func addFolders(
        _ folders: [String], leavingOut: [String], memory: FileMemory?, to session: BackupSession,
        _ context: WorkContext
    ) throws {
        let before = bytes
        var options = CaptureOptions()
        options.leaveOut = leavingOut.map { AbsolutePath($0) }
        options.memory = memory
        options.watch = { report in
            try context.goOn()
            context.tell(JobProgress(stage: .reading, done: before + report.bytes, files: report.files))
        }
        let (root, report) = try TreeCapture(into: session, options: options).run(folders.map { AbsolutePath($0) })
        if streams.isEmpty, let emptiness = report.emptiness { throw emptiness }
        streams.append(
            SealedPart.Stream(label: "files", content: .tree(root), bytes: report.bytes, files: report.files))
        files += report.files
        note(report)
    }

    private mutating func note(_ report: CaptureReport) {
        incomplete += report.incomplete
        warnings += report.warnings.prefix(100 - min(100, warnings.count)).map { String($0.description.prefix(1000)) }
    }
}
