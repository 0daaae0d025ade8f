internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Restore

/// Restores files below a directory, a disk to an image, or both.
struct RestoreCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Restore files below a directory, or a disk to an image.",
        discussion:
            "Every byte is compared with the hash in its name before it is written: what is damaged is never restored.")

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var base: BaseOptions

    @Option(name: .long, help: ArgumentHelp("The directory below which files are restored.", valueName: "dir"))
    var target: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Only this path, as it was at the backup, and what lies in it.", valueName: "path"))
    var include: [String] = []

    @Option(name: .long, help: ArgumentHelp("The image to which the disk is restored.", valueName: "out"))
    var disk: String?

    @Option(name: .long, help: ArgumentHelp("Another vault to take from what is damaged.", valueName: "dir"))
    var also: [String] = []

    @Option(name: .long, help: "The label of the stream, where there are several of a kind.")
    var stream: String?

    @Flag(name: .long, help: "Replace files that differ, keep those that do not, go on where a restore stopped.")
    var update = false

    @Argument(help: "An id, the beginning of one, or latest:NAME.")
    var snapshot: String

    static let whenInterrupted: String? = nil

    func validate() throws {
        if target == nil && disk == nil { throw ValidationError("Name a --target for files, or --disk for a disk.") }
        if target == nil && !include.isEmpty { throw ValidationError("--include goes with --target.") }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let secret = try bench.key(passphrase, of: vault.path)
        let target = try target.map { text throws(Failure) in try VaultFolder.pathOutside(text) }
        let disk = try disk.map { text throws(Failure) in try VaultFolder.pathOutside(text) }
        var options = RestoreOptions()
        options.include = try include.map { text throws(Failure) in try RawArguments.path(text) }
        options.existing = update ? .update : .refuse
        options.workers = max(2, bench.processors)
        let repository = try bench.open(
            vault.path, .reading, passphrase: secret, also: also, base: try base.open(bench, .reading))
        let found = try repository.findSnapshot(snapshot)
        if let cut = repository.log.shortfall { bench.console.warn("\(cut)") }
        // What the snapshot lacks is said before anything is written.
        let tree = target == nil ? nil : try found.tree(label: disk == nil ? stream : nil)
        let image = disk == nil ? nil : try found.disk(label: target == nil ? stream : nil)
        let reader = try SnapshotReader(repository, found)
        if image != nil { try reader.requireTemplates() }
        let start = bench.surroundings.uptime()
        var failure: Failure?
        do {
            if let tree, let target { failure = try restore(tree, reader, to: target, options, bench, since: start) }
            if let image, let disk { try restore(image, reader, to: disk, options, bench, since: start) }
        } catch let problem as Failure where problem.code == .cancelled {
            throw Failure(
                .cancelled, problem.what,
                advice: "What bears its own name is whole. Run it again with --update to go on.")
        }
        for finding in reader.findings { bench.console.warn(finding) }
        if let failure { throw failure }
        return 0
    }

    private func restore(
        _ tree: ContentRef, _ reader: SnapshotReader, to target: AbsolutePath, _ options: RestoreOptions,
        _ bench: Workbench, since start: UInt64
    ) throws -> Failure? {
        let progress = bench.progress("restoring")
        var options = options
        options.watch = { try progress.update(bytes: $0.bytes, files: $0.files) }
        let plan = try RestorePlan(reader, root: tree, options: options)
        progress.expect(plan.bytes)
        let report = try TreeRestore.run(plan, to: target, surroundings: bench.surroundings)
        let console = bench.console
        for problem in report.problems { console.warn("\(problem)") }
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        try console.say(leftovers: report.leftovers)
        try console.say(
            "Restored \(Words.count(report.files, "file", "files")) and "
                + "\(Words.count(report.directories, "directory", "directories")), \(Words.bytes(report.bytes)), "
                + "below \(Words.visible(target.description)) in \(Words.duration(seconds: UInt64(seconds.rounded())))."
        )
        try console.tell([
            ("event", "result"), ("id", .text(reader.snapshot.id.hex)), ("target", .text(target.description)),
            ("files", .number(report.files)), ("directories", .number(report.directories)),
            ("others", .number(report.others)), ("bytes", .number(report.bytes)),
            ("bytesWritten", .number(report.bytesWritten)), ("unchanged", .number(report.unchanged)),
            ("lost", .number(report.lost)), ("attributesLost", .number(report.attributesLost)),
            ("leftovers", .number(report.leftovers)), ("packs", .number(reader.packsRead)),
            ("seconds", .fraction(seconds)),
        ])
        return report.failure
    }

    private func restore(
        _ image: DiskRef, _ reader: SnapshotReader, to path: AbsolutePath, _ options: RestoreOptions,
        _ bench: Workbench, since start: UInt64
    ) throws {
        let progress = bench.progress("restoring the disk")
        let disk = DiskReader(reader, image)
        let report = try DiskRestore.run(
            disk, to: path, workers: options.workers, surroundings: bench.surroundings,
            watch: { try progress.update(bytes: $0.bytes, files: 0) })
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        try bench.console.say(leftovers: report.leftovers)
        try bench.console.say(
            "Restored a disk of \(Words.bytes(report.bytes)) to \(Words.visible(path.description)), "
                + "of which \(Words.bytes(report.bytesWritten)) are not zeros, "
                + "in \(Words.duration(seconds: UInt64(seconds.rounded()))).")
        try bench.console.tell([
            ("event", "result"), ("id", .text(reader.snapshot.id.hex)), ("disk", .text(path.description)),
            ("bytes", .number(report.bytes)), ("bytesWritten", .number(report.bytesWritten)),
            ("leftovers", .number(report.leftovers)), ("packs", .number(reader.packsRead)),
            ("seconds", .fraction(seconds)),
        ])
    }
}

extension Console {
    /// That temporary files of restores and exports which were killed were taken away.
    func say(leftovers count: UInt64) throws {
        guard count > 0 else { return }
        try say("Took away \(Words.count(count, "temporary file", "temporary files")) of a run that was killed.")
    }
}
