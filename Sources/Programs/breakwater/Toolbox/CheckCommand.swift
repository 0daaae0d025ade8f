internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// Checks a vault, and names what is damaged and what that touches.
struct CheckCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Name every damaged object, and every snapshot it touches.",
        discussion: """
            Nothing is changed. Without a passphrase all but the content is checked: a site can check what it cannot read.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Flag(name: .long, help: "Read every byte of every pack.")
    var readData = false

    @Option(
        name: .long, help: ArgumentHelp("Another vault, to see whether it has whole what is damaged.", valueName: "dir")
    )
    var also: [String] = []

    func perform(_ bench: Workbench) throws -> Int32 {
        let start = bench.surroundings.uptime()
        let repository: Repository
        do {
            repository = try open(bench)
        } catch let failure as Failure where failure.code == .damaged {
            let store = try bench.store(at: vault.path, .reading)
            guard let report = try CheckReport(ofLostGenesisIn: store, isAlone: also.isEmpty) else { throw failure }
            try print(report, nil, bench, since: start)
            throw Self.damage(report)
        }
        var options = Checker.Options()
        options.readData = readData
        options.workers = max(2, bench.processors)
        let progress = bench.progress("checking")
        let report = try Checker.check(repository, options) { step in
            progress.note(bytes: step.bytes, files: 0)
        }
        try print(report, repository, bench, since: start)
        guard !report.isClean else { return 0 }
        throw Self.damage(report)
    }

    private static func damage(_ report: CheckReport) -> Failure {
        let (objects, snapshots) = (report.findings.count, report.snapshotsTouched.count)
        return Failure(
            .damaged,
            "\(Words.count(UInt64(objects), "object is", "objects are")) damaged, touching "
                + Words.count(UInt64(snapshots), "snapshot", "snapshots"),
            advice: "Everything not named here is whole. Keep the vault as it is; "
                + "`restore --also` takes what is damaged from another vault.")
    }

    /// With the passphrase if there is one. When no slot is left whole to be opened by it, what needs no key is still
    /// checked, and the slots are named.
    private func open(_ bench: Workbench) throws -> Repository {
        guard passphrase.isGiven else { return try bench.openKeyless(vault.path, .reading, also: also) }
        let secret = try passphrase.read(bench.console)
        do {
            return try bench.open(vault.path, .reading, passphrase: secret, also: also)
        } catch {
            guard error.code == .damaged else { throw error }
            bench.console.warn("\(error.what); checking without keys")
            return try bench.openKeyless(vault.path, .reading, also: also)
        }
    }

    // MARK: - Printing

    /// - Parameter repository: nil when it does not open.
    private func print(_ report: CheckReport, _ repository: Repository?, _ bench: Workbench, since start: UInt64) throws
    {
        let console = bench.console
        let names = names(of: report.snapshotsTouched, repository)
        for note in report.notes { console.warn(note) }
        for stranger in report.strangers { console.warn("\(stranger) is none of the repository's") }
        for finding in report.findings {
            try console.say("damaged: \(finding.object): \(finding.meaning); \(finding.recovery)")
            for id in finding.snapshots { try console.say("    touches snapshot \(names[id] ?? id.hex)") }
            try console.tell([
                ("event", "damaged"), ("object", .text(finding.object)), ("damage", .text(finding.damage.rawValue)),
                ("meaning", .text(finding.meaning)), ("snapshots", .list(finding.snapshots.map { .text($0.hex) })),
                ("recovery", .text(finding.recovery.description)),
            ])
        }
        for id in report.snapshotsTouched { try console.say("touched: snapshot \(names[id] ?? id.hex)") }
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        var summary = "Checked \(Words.count(report.objects, "object", "objects")) and "
        summary += "\(Words.count(report.snapshots, "snapshot", "snapshots")), reading \(Words.bytes(report.bytes)): "
        summary += report.isClean ? "all is well." : "there is damage."
        try console.say(summary)
        if report.orphans > 0 {
            try console.say(
                "\(Words.count(report.orphans, "object", "objects")) of \(Words.bytes(report.orphanBytes)) belong to "
                    + "backups that were not committed; they do no harm.")
        }
        try console.tell([
            ("event", "result"), ("clean", .flag(report.isClean)), ("damaged", .number(UInt64(report.findings.count))),
            ("snapshotsTouched", .list(report.snapshotsTouched.map { .text($0.hex) })),
            ("objects", .number(report.objects)), ("snapshots", .number(report.snapshots)),
            ("bytesRead", .number(report.bytes)), ("orphans", .number(report.orphans)),
            ("orphanBytes", .number(report.orphanBytes)), ("seconds", .fraction(seconds)),
        ])
    }

    /// Short ids, with the names of those that can be opened.
    private func names(of ids: [Digest], _ repository: Repository?) -> [Digest: String] {
        var names: [Digest: String] = [:]
        for id in ids {
            var text = String(id.hex.prefix(12))
            if let repository, let committed = repository.log.state.snapshots[id],
                let opened = try? repository.snapshot(committed)
            {
                text += " (\(Words.visible(opened.name)))"
            }
            names[id] = text
        }
        return names
    }
}
