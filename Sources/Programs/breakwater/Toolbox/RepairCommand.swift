internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// Puts back what is damaged or missing, from what is whole in the vault and from other vaults.
struct RepairCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Put back what is damaged, from other vaults of the repository.",
        discussion: """
            Every byte of the vault is checked first. Of a damaged pack only the blocks of 64 KiB that are not as they were \
            are fetched; whatever another vault gives is held to its hash. Nothing that was forgotten, withdrawn or \
            destroyed comes back. Without a passphrase packs are left as they are, but in a vault that a copy of this user made. \
            It may run while backups run, and be run again. Exit codes: 0 nothing that is needed is left damaged, 5 \
            something is, and is named; with --dry-run, the same of what would be.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("from"),
        help: ArgumentHelp("Another vault of the repository to take from.", valueName: "vault"))
    var others: [String] = []

    @Flag(name: .long, help: "Say what would be done; change nothing.")
    var dryRun = false

    static let whenInterrupted: String? = nil

    func perform(_ bench: Workbench) throws -> Int32 {
        let start = bench.surroundings.uptime()
        let store = try bench.store(at: vault.path, dryRun ? .reading : .writing)
        let heads = bench.heads()
        let alternates = try bench.openSources(others, named: "--from", for: store, heads)
        var options = Repairer.Options()
        options.isDryRun = dryRun
        options.workers = max(2, bench.processors)
        var repairer = Repairer(
            store, passphrase.isGiven ? .slot(try passphrase.read(bench.console)) : .keyless, from: alternates,
            site: passphrase.isGiven ? nil : try siteKey(store, alternates, bench), heads: heads,
            surroundings: bench.surroundings, options: options)
        let progress = bench.progress("checking")
        let interruption = bench.interruption
        let report: RepairReport
        do {
            report = try repairer.run(
                progress: { step in
                    if step.bytesInAll > 0 { progress.expect(step.bytesInAll) }
                    progress.note(bytes: step.bytes, files: 0)
                },
                isCancelled: { interruption.isAsked })
        } catch let failure as Failure where failure.code == .cancelled {
            throw Failure(
                .cancelled, failure.what, advice: "What was repaired before stays so. Run it again to go on.")
        }
        try print(report, bench, since: start)
        guard !report.isWhole else { return 0 }
        throw Failure(
            .partial,
            "\(Words.count(UInt64(report.left.count), "object stays", "objects stay")) damaged, each named with the reason",
            advice: "What was repaired stays so."
        ).advising(help(report)).advising(report.forks.advice)
    }

    /// What may help with what stays damaged. Another branch of the log is no damage that a vault could mend.
    private func help(_ report: RepairReport) -> String {
        guard report.left.contains(where: { $0.damage != .forked }) else { return "" }
        let key = passphrase.isGiven ? "" : ", or give the passphrase,"
        return "Name \(others.isEmpty ? "another" : "one more") vault with --from\(key) and run it again."
    }

    /// Where a copy of this user made the vault.
    private func siteKey(
        _ store: any ObjectStore, _ alternates: [Repository], _ bench: Workbench
    ) throws(Failure) -> SigningKey? {
        let keyless = try Repository.open(
            store, .keyless, expecting: alternates.first?.id, heads: NoHeadMemory(), surroundings: bench.surroundings,
            also: alternates)
        return try ClientSiteKeys(bench, passphrase: passphrase).find(for: keyless.id, at: store.location)
    }

    private func print(_ report: RepairReport, _ bench: Workbench, since start: UInt64) throws {
        let console = bench.console
        for note in report.notes { console.warn(note) }
        for fork in report.forks where fork.isAccepted { console.warn("\(fork.meaning); the owner accepted that") }
        let verb = dryRun ? "would repair" : "repaired"
        for item in report.items {
            let (event, text) =
                switch item.outcome {
                case .healed(let how): ("repaired", "\(verb): \(item.object): \(how)")
                case .notNeeded(let why): ("notNeeded", "left alone: \(item.object): \(why)")
                case .left(let why): ("left", "damaged: \(item.object): \(why)")
                }
            try console.say(text)
            if case .left = item.outcome {
                for id in item.snapshots { try console.say("    touches snapshot \(id.hex.prefix(12))") }
            }
            try console.tell([
                ("event", .text(event)), ("object", .text(item.object)), ("damage", .text(item.damage.rawValue)),
                ("how", .text(item.outcome.words)), ("snapshots", .list(item.snapshots.map { .text($0.hex) })),
            ])
        }
        for fork in report.forks { try console.tell(fork) }
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        if report.items.isEmpty {
            try console.say(report.notes.isEmpty ? "Nothing is damaged." : "Nothing else is damaged.")
        } else {
            try console.say(
                "\(dryRun ? "Would repair" : "Repaired") "
                    + Words.count(UInt64(report.healed.count), "object", "objects")
                    + ", taking \(Words.bytes(report.bytesFetched)) from other vaults; "
                    + "\(Words.count(UInt64(report.left.count), "stays", "stay")) damaged."
            )
        }
        if !report.recorded.isEmpty {
            try console.say(
                "\(Words.count(UInt64(report.recorded.count), "pack is", "packs are")) recorded as damaged: "
                    + "backups store that content again.")
        }
        try console.tell([
            ("event", "result"), ("dryRun", .flag(dryRun)), ("repaired", .number(UInt64(report.healed.count))),
            ("left", .number(UInt64(report.left.count))), ("recorded", .number(UInt64(report.recorded.count))),
            ("bytesFetched", .number(report.bytesFetched)), ("seconds", .fraction(seconds)),
        ])
    }
}

extension RepairReport.Item.Outcome {
    fileprivate var words: String {
        switch self {
        case .healed(let text), .notNeeded(let text), .left(let text): text
        }
    }
}
