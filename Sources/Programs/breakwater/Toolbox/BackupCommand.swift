internal import ArgumentParser
import Capture
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing

/// Backs up paths, disks, or both, as one snapshot.
struct BackupCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Back up files, disk images, or both, as one snapshot.",
        discussion: """
            What the repository holds already is not stored again, whatever its name. `--writer-file FILE`, a file that \
            `keys issue-writer` made, serves in place of the passphrase: with it one can back up, and read nothing.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Option(name: .long, help: "The desktop's name, by which `latest:NAME` finds it again.")
    var name: String

    @OptionGroup(title: "Disks") var disks: DiskOptions

    @OptionGroup(title: "Golden templates") var base: BaseOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The template: an id, the beginning of one, or latest:NAME; needless where the base holds one name only.",
            valueName: "snapshot"))
    var baseSnapshot: String?

    @OptionGroup(title: "Leaving out") var excludes: ExcludeOptions

    @Flag(name: .long, help: "Do not enter other file systems that are mounted below the paths.")
    var oneFileSystem = false

    @Flag(name: .long, help: "Read every file, also those that look as they did at the last backup of this name.")
    var readAll = false

    @Argument(help: "Files and directories.")
    var paths: [String] = []

    static let whenInterrupted: String? = nil

    func validate() throws {
        if paths.isEmpty && disks.images.isEmpty { throw ValidationError("Name a PATH or a --disk to back up.") }
        if base.path != nil && disks.images.isEmpty { throw ValidationError("--base goes with --disk.") }
        if baseSnapshot != nil && base.path == nil { throw ValidationError("--base-snapshot goes with --base.") }
        let isPlain = name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        if name.isEmpty || name.utf8.count > 255 || !isPlain {
            throw ValidationError("--name takes 1 to 255 bytes of text without control characters.")
        }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let start = bench.surroundings.uptime()
        let sources = try Sources(paths: paths, disks: disks)
        var capture = CaptureOptions()
        capture.oneFileSystem = oneFileSystem
        capture.exclude = try excludes.list()
        capture.excludeCaches = excludes.excludeCaches
        let repository = try bench.openToWrite(vault.path, passphrase)
        try StoreProbe.run(on: repository.store, bench.surroundings)
        var options = BackupSession.Options()
        options.workers = bench.processors
        options.staging = BackupSession.Staging(name: name, time: bench.surroundings.now(), host: BackupRun.host)
        if let base = try base.open(bench, .writing) {
            try StoreProbe.run(on: base.store, bench.surroundings)
            do {
                options.template = try base.template(baseSnapshot, for: repository)
            } catch let failure as Failure where failure.code == .refused {
                // Better a backup that takes more room than none.
                guard try base.wasLetGo(baseSnapshot, by: repository) else { throw failure }
                bench.console.warn("\(failure.what): everything is stored here until there is a newer template")
            }
        }
        let session = try repository.beginBackup(options)
        let memory = bench.memory(of: name, in: repository, forgetting: readAll)
        capture.memory = memory
        let run = BackupRun(sources, of: name, session, in: repository, bench, capture)
        let snapshot: Snapshot
        do {
            try run.capture()
            try bench.interruption.check()
            snapshot = try session.commit(run.draft())
        } catch {
            try? memory?.leave()
            throw giveUp(session, in: repository, error)
        }
        if let problem = repository.writeCheckpointAfterWork() { bench.console.warn("\(problem)") }
        // Without it the next backup takes longer, and that is all.
        do throws(Failure) { try memory?.save() } catch { bench.console.warn("\(error)") }
        do throws(Failure) { try run.remember(snapshot) } catch { bench.console.warn("\(error)") }
        return try conclude(bench, snapshot, run, since: start)
    }

    /// Winds the session up, and adds to the error what has become of it.
    private func giveUp(_ session: BackupSession, in repository: Repository, _ error: any Error) -> any Error {
        // That it cannot be wound up as well changes nothing of what is safe; the first error is the one to mend.
        try? session.interrupt()
        guard let failure = error as? Failure else { return error }
        let state = (try? repository.log.refresh()) ?? repository.log.state
        if case .certificate(let writer)? = repository.keys.author?.certificate.content,
            state.revoked.contains(writer.author)
        {
            return failure.advising(
                "Nothing of this backup is visible, and earlier snapshots are untouched. A writer that was revoked stores "
                    + "nothing any more: ask the repository's owner for a new writer's file")
        }
        var words =
            failure.code == .unknownOutcome
            ? "Earlier snapshots are untouched; `breakwater repository snapshots` shows whether this one was committed"
            : "Nothing of this backup is visible, and earlier snapshots are untouched; run it again"
        if session.keptBytes > 0, failure.code != .unknownOutcome {
            words += ", and it goes on from the \(Words.bytes(session.keptBytes)) that are stored"
        }
        return failure.advising(words)
    }

    private func conclude(_ bench: Workbench, _ snapshot: Snapshot, _ run: BackupRun, since start: UInt64) throws
        -> Int32
    {
        let console = bench.console
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        for warning in run.warnings { console.warn("\(warning)") }
        if let reason = run.wholeRead { console.warn("the whole disk was read: \(reason)") }
        try console.say("Snapshot \(snapshot.id.hex.prefix(12)) of \(Words.visible(snapshot.name)):")
        try console.say(
            "  \(Words.count(snapshot.files, "file", "files")), \(Words.bytes(snapshot.bytes)); "
                + "\(Words.bytes(run.session.counters.newBytes)) were new and took \(Words.bytes(snapshot.part.storedBytes))"
        )
        if let template = run.session.template {
            try console.say(
                "  \(Words.bytes(template.bytes)) are in template \(template.snapshot.hex.prefix(12)) of the base")
        }
        if run.bytesInherited > 0 {
            try console.say(
                "  \(Words.bytes(run.bytesRead)) were read, \(Words.bytes(run.bytesInherited)) taken over as they were")
        }
        if run.excluded > 0 {
            let first = run.firstExcluded.prefix(3).map(Words.visible).joined(separator: ", ")
            let more = run.excluded > 3 ? " and others" : ""
            try console.say("  \(Words.count(run.excluded, "name was", "names were")) left out: \(first)\(more)")
        }
        if run.excluded > 0, snapshot.files == 0 { console.warn("the patterns left out every file") }
        try console.say(
            "  \(Words.duration(seconds: UInt64(seconds.rounded()))), \(Words.bytes(UInt64(Double(snapshot.bytes) / max(seconds, 0.001))))/s"
        )
        try console.tell(
            [("event", "result")] + snapshot.members + [
                ("bytesRead", .number(run.bytesRead)), ("bytesInherited", .number(run.bytesInherited)),
                ("newBytes", .number(run.session.counters.newBytes)),
                ("bytesInTemplate", .number(run.session.template?.bytes ?? 0)),
                ("seconds", .fraction(seconds)), ("unreadable", .number(run.unreadable)),
                ("changed", .number(run.changed)), ("excluded", .number(run.excluded)),
                ("firstExcluded", .list(run.firstExcluded.map { .text($0) })),
            ] + (run.wholeRead.map { [("wholeRead", .text($0.description))] } ?? []))
        guard run.unreadable + run.changed > 0 else { return 0 }
        throw Failure(
            .partial,
            "the snapshot is there, and \(Words.count(run.unreadable, "file", "files")) could not be read and "
                + "\(run.changed) changed while being read",
            advice: "All others are safe in it. The warnings name the first of them.")
    }
}
