internal import ArgumentParser
import Browse
import Glibc
import Platform
import Repository
import Restore

/// Writes a snapshot in a format that other programs read: a tree as a tar archive, a disk as an image.
struct ExportCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write files as a tar archive, or a disk as an image.",
        discussion: """
            The archive is POSIX pax, with extended attributes, access control lists, hard links and holes: \
            `tar --xattrs --xattrs-include='*' --acls -xf` brings all of it back.
            """)

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var base: BaseOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var given: OutputOptions

    @Option(name: .long, help: ArgumentHelp("The archive, or - for standard output.", valueName: "out"))
    var tar: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Only this path, as it was at the backup, and what lies in it.", valueName: "path"))
    var include: [String] = []

    @Flag(
        name: .long,
        help: "Read long files twice: a damaged one is left out of the archive, and does not end it.")
    var checkFirst = false

    @Option(name: .long, help: ArgumentHelp("The image of the disk.", valueName: "out"))
    var disk: String?

    @Option(name: .long, help: "The image's format: raw or qcow2. Otherwise qcow2 if it is named *.qcow2, raw if not.")
    var format: DiskRestore.Format?

    @Argument(help: "An id, the beginning of one, or latest:NAME.")
    var snapshot: String

    static let whenInterrupted: String? = nil

    /// Standard output is the archive's: nothing else goes there.
    var output: OutputOptions {
        var options = given
        if tar == "-" { (options.json, options.text) = (false, true) }
        return options
    }

    func validate() throws {
        if (tar == nil) == (disk == nil) { throw ValidationError("Name either --tar for files or --disk for a disk.") }
        if tar == nil && (!include.isEmpty || checkFirst) {
            throw ValidationError("--include and --check-first go with --tar.")
        }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        if tar == "-", isatty(STDOUT_FILENO) == 1 {
            throw Failure(
                .refused, "an archive is nothing for a terminal",
                advice: "Nothing was written. Name a file with --tar, or send the output into a pipe.")
        }
        if let disk { return try exportDisk(to: try VaultFolder.pathOutside(disk), bench) }
        guard let tar else { return 0 }
        return try exportTree(to: tar, bench)
    }

    // MARK: - Files

    private func exportTree(to tar: String, _ bench: Workbench) throws -> Int32 {
        var options = TarExport.Options()
        options.include = try include.map { text throws(Failure) in try RawArguments.path(text) }
        options.checksFirst = checkFirst
        options.workers = max(2, bench.processors)
        let progress = bench.progress("exporting")
        options.watch = { try progress.update(bytes: $0, files: $1) }
        let target = tar == "-" ? nil : try VaultFolder.pathOutside(tar)
        let repository = try reading.open(bench)
        let found = try repository.findSnapshot(snapshot)
        let root = try found.tree(label: reading.stream)
        progress.expect(found.bytes)
        let reader = try SnapshotReader(repository, found)
        let report: TarExport.Report
        var leftovers: UInt64 = 0
        do {
            if let target {
                report = try NewFile.write(target, surroundings: bench.surroundings) { new in
                    leftovers = new.leftovers
                    return try TarExport.run(reader, root, options: options) { try new.file.write($0) }
                }
            } else {
                report = try TarExport.run(reader, root, options: options, write: Console.send)
            }
        } catch is ReaderGone {
            throw Failure(
                .failed, "whoever read the archive from standard output was gone before its end: it is cut off",
                advice: "Use nothing of it. See why the reader ended, and export again.")
        } catch let failure as Failure where failure.code == .damaged {
            throw failure.advising(
                target == nil ? "Files before it in the archive are whole" : "No archive was left")
        }
        return try conclude(report, reader, target, leftovers, bench)
    }

    private func conclude(
        _ report: TarExport.Report, _ reader: SnapshotReader, _ target: AbsolutePath?, _ leftovers: UInt64,
        _ bench: Workbench
    ) throws -> Int32 {
        let console = bench.console
        for finding in reader.findings { console.warn(finding) }
        for problem in report.problems { console.warn("\(problem.path) is left out: \(problem.failure)") }
        if report.sockets > 0 {
            console.warn("\(Words.count(report.sockets, "socket is", "sockets are")) left out: tar does not hold any")
        }
        if let target {
            try console.say(leftovers: leftovers)
            try console.say(
                "Wrote \(Words.count(report.files, "file", "files")) and "
                    + "\(Words.count(report.directories, "directory", "directories")), \(Words.bytes(report.bytes)), "
                    + "to \(Words.visible(target.description)), an archive of \(Words.bytes(report.archiveBytes)).")
            try console.tell([
                ("event", "result"), ("id", .text(reader.snapshot.id.hex)), ("tar", .text(target.description)),
                ("files", .number(report.files)), ("directories", .number(report.directories)),
                ("others", .number(report.others)), ("bytes", .number(report.bytes)),
                ("archiveBytes", .number(report.archiveBytes)), ("sockets", .number(report.sockets)),
                ("lost", .number(report.lost)), ("leftovers", .number(leftovers)),
            ])
        }
        guard report.lost == 0 else {
            throw Failure(
                .partial,
                "\(Words.count(report.lost, "file or directory is", "files or directories are")) damaged and not in the archive",
                advice: "The rest is. --also names another vault to take them from.")
        }
        return 0
    }

    // MARK: - Disks

    private func exportDisk(to path: AbsolutePath, _ bench: Workbench) throws -> Int32 {
        let repository = try reading.open(bench, base: base)
        let found = try repository.findSnapshot(snapshot)
        let image = try found.disk(label: reading.stream)
        let format = format ?? (path.description.hasSuffix(".qcow2") ? .qcow2 : .raw)
        let reader = try SnapshotReader(repository, found)
        let progress = bench.progress("exporting the disk")
        let report = try DiskRestore.run(
            DiskReader(reader, image), to: path, format: format, workers: max(2, bench.processors),
            surroundings: bench.surroundings, watch: { try progress.update(bytes: $0.bytes, files: 0) })
        for finding in reader.findings { bench.console.warn(finding) }
        try bench.console.say(leftovers: report.leftovers)
        try bench.console.say(
            "Wrote a disk of \(Words.bytes(report.bytes)) to \(Words.visible(path.description)) as "
                + "\(format.rawValue), of which \(Words.bytes(report.bytesWritten)) are not zeros.")
        try bench.console.tell([
            ("event", "result"), ("id", .text(found.id.hex)), ("disk", .text(path.description)),
            ("format", .text(format.rawValue)), ("bytes", .number(report.bytes)),
            ("bytesWritten", .number(report.bytesWritten)), ("leftovers", .number(report.leftovers)),
        ])
        return 0
    }
}

extension DiskRestore.Format: ExpressibleByArgument {}
