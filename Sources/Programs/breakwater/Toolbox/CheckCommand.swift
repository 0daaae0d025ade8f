internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// Checks a vault, and names what is damaged and what that touches.
struct CheckCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Name every damaged object, and every snapshot it touches.",
        discussion: """
            Nothing is changed. Without a passphrase all but the content is checked: a site can check what it cannot read. \
            With it, every file, and every range of a disk, that a restore would not give is named. --keyless reads every \
            byte without a key, and with --limit so many of them a run: the next run goes on where this one stopped, and \
            after a full round begins again.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var base: BaseOptions

    @Flag(name: .long, help: "Read every byte of every pack.")
    var readData = false

    @Flag(name: .long, help: "Read every byte, and open nothing, whatever key is given.")
    var keyless = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "With --keyless: read so much and no more, but one object that is longer by itself.", valueName: "10GiB"))
    var limit: ByteCount?

    @Flag(name: .long, help: "Name everything that is lost, not only the first 1000 losses of each snapshot.")
    var allLosses = false

    @Option(
        name: .long, help: ArgumentHelp("Another vault, to see whether it has whole what is damaged.", valueName: "dir")
    )
    var also: [String] = []

    func validate() throws {
        if limit != nil, !keyless { throw ValidationError("--limit goes with --keyless.") }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let start = bench.surroundings.uptime()
        let repository: Repository
        do {
            repository = try open(bench)
        } catch let failure as Failure where failure.code == .damaged {
            let store = try bench.store(at: vault.path, .reading)
            guard let report = try CheckReport(ofLostGenesisIn: store, isAlone: also.isEmpty) else { throw failure }
            try CheckPrinter(report, nil, bench).print(since: start)
            throw Self.damage(report)
        }
        var options = Checker.Options()
        options.readData = readData || keyless
        options.workers = max(2, bench.processors)
        options.lossesPerSnapshot = allLosses ? nil : 1000
        let progress = bench.progress("checking")
        let heard: @Sendable (Checker.Progress) -> Void = { step in
            if step.bytesInAll > 0 { progress.expect(step.bytesInAll) }
            progress.note(bytes: step.bytes, files: 0)
        }
        let report =
            if let limit {
                try Checker.check(repository, upTo: limit.bytes, try bench.checkMemory(), options, progress: heard)
            } else {
                try Checker.check(repository, options, progress: heard)
            }
        try CheckPrinter(report, repository, bench).print(since: start)
        guard !report.isClean else { return 0 }
        throw Self.damage(report)
    }

    private static func damage(_ report: CheckReport) -> Failure {
        let (objects, snapshots) = (report.findings.count, report.snapshotsTouched.count)
        // Another branch of the log is no damage that a vault could mend.
        let mendable = report.findings.filter { $0.damage != .forked }
        let help =
            if mendable.contains(where: \.recovery.needsAnotherVault) {
                "`breakwater repository repair --from` puts back what another vault has; `restore --also` takes what is "
                    + "damaged from there."
            } else {
                mendable.isEmpty ? "" : "Restores lack nothing; `breakwater repository repair` puts it right."
            }
        return Failure(
            .damaged,
            "\(Words.count(UInt64(objects), "object is", "objects are")) damaged, touching "
                + Words.count(UInt64(snapshots), "snapshot", "snapshots"),
            advice: "Everything not named here is whole."
        ).advising(help).advising(report.forks.advice)
    }

    /// With the passphrase if there is one. When no slot is left whole to be opened by it, what needs no key is still
    /// checked, and the slots are named.
    private func open(_ bench: Workbench) throws -> Repository {
        guard passphrase.isGiven, !keyless else { return try bench.openKeyless(vault.path, .reading, also: also) }
        let secret = try passphrase.read(bench.console)
        let base = try base.open(bench, .reading)
        do throws(Failure) {
            let repository = try bench.open(vault.path, .reading, passphrase: secret, also: also, base: base)
            if let base, !repository.leans(onTemplatesOf: base.id) {
                throw Failure(
                    .notFound,
                    "nothing in \(vault.path) leans on repository \(base.id), which \(base.store.location) holds",
                    advice: "Name a vault of the base with --base, or none.")
            }
            return repository
        } catch {
            guard error.code == .damaged else { throw error }
            bench.console.warn("\(error.what); checking without keys")
            return try bench.openKeyless(vault.path, .reading, also: also)
        }
    }
}
