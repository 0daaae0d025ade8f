internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// Frees what no snapshot needs.
struct CollectCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", abstract: "Free what no snapshot needs, while backups, restores and copies run.",
        discussion: """
            What a backup that was killed has stored is held by its claim, and kept for the next one of its name. A session \
            that is found unchanged by two runs an hour or more apart is taken to be dead, and both are let go of; \
            --release-claims does that at once. A backup that is let go by mistake has to be run again, and loses nothing \
            else. With the passphrase, packs of which most is dead are repacked; --dry-run looks into them, and says what that \
            would free. With --base, templates of that repository on which no snapshot leans any more are let go of: nothing \
            here can lean on them again.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var base: BaseOptions

    @Flag(name: .long, help: "Say what would be freed, and what not and why; change nothing.")
    var dryRun = false

    @Flag(
        name: .long,
        help: """
            Let go of every claim of a backup, copy or restore, whether or not it still runs, and of every unfinished backup.
            """)
    var releaseClaims = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Repack packs of which at most this share is alive; 0 for none. Needs the passphrase.",
            valueName: "percent"))
    var repackBelow = 50

    static let whenInterrupted: String? = nil

    func validate() throws {
        if !(0...100).contains(repackBelow) { throw ValidationError("--repack-below takes 0 to 100.") }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let start = bench.surroundings.uptime()
        let access: StoreAccess = dryRun ? .reading : .writing
        let repository = try bench.openAsSite(vault.path, access, passphrase)
        let base = try base.openAsSite(bench, access, passphrase)
        guard !dryRun else { return try preview(repository, base, bench) }
        let interruption = bench.interruption
        var collector = Collector(
            repository, options(repository), watch: bench.claimWatch(), isCancelled: { interruption.isAsked })
        let report = try collector.run()
        let ending = try base.map { try LeanEnding(of: repository, in: $0) }
        try print(report, ending, bench, since: start)
        guard !report.remaining.isEmpty else { return 0 }
        throw Failure(
            .partial,
            "\(Words.count(UInt64(report.remaining.count), "object", "objects")) could not be deleted, the first "
                + "\(report.remaining[0].object.name): \(report.remaining[0].problem.what)",
            advice: "Nothing that is needed is touched. The next run tries again.")
    }

    private func options(_ repository: Repository) -> Collector.Options {
        var options = Collector.Options()
        options.releasesClaims = releaseClaims
        options.repackBelow = repackBelow == 0 ? nil : Double(repackBelow) / 100
        options.shortOfSpace = (repository.store as? DirectoryStore)?.reserve
        return options
    }

    private func preview(_ repository: Repository, _ base: Repository?, _ bench: Workbench) throws -> Int32 {
        let interruption = bench.interruption
        let collector = Collector(repository, options(repository), isCancelled: { interruption.isAsked })
        let plan = try collector.plan()
        let locks = try repository.locks(of: (plan.condemnable + plan.deletable).map(\.name))
        let usage = VaultUsage(plan, repository.log.state, locks: locks)
        let ending = try base.map { try LeanEnding(of: repository, in: $0, isDry: true) }
        if let ending { try print(ending, bench.console) }
        try usage.print(bench.console)
        let repacking = try printRepacking(collector, usage, bench.console)
        let freed = usage.reclaimable
        try bench.console.tell(
            [
                ("event", "result"), ("dryRun", true), ("objects", .number(freed.objects)),
                ("bytes", .number(freed.bytes)), ("notYet", .number(usage.notYet.bytes)),
                ("templatesReleased", Self.list(ending)),
            ] + repacking)
        return 0
    }

    /// What repacking would free: by a look into the packs; without the passphrase, at most.
    /// - Returns: the same, for the result.
    private func printRepacking(
        _ collector: Collector, _ usage: VaultUsage, _ console: Console
    ) throws -> [(String, JSON)] {
        guard repackBelow > 0 else { return [] }
        if let plan = try collector.repackPlan() { return try plan.print(console) }
        return try usage.printOutlived(console)
    }

    private func print(_ report: CollectReport, _ ending: LeanEnding?, _ bench: Workbench, since start: UInt64) throws {
        let console = bench.console
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        for released in report.released {
            console.warn(
                "let go of the claim of a \(released.scope.kind) (\(released.claim.hex.prefix(12))): \(released.why.words)"
            )
        }
        for backup in report.abandoned {
            console.warn(
                "let go of what an unfinished backup stored (session \(backup.session.hex.prefix(12))): \(backup.why.words)"
            )
        }
        if report.stagesForgotten > 0 {
            let stages = Words.count(report.stagesForgotten, "unfinished backup", "unfinished backups")
            try console.say("Let go of \(stages) of which the next is whole.")
        }
        try console.say(
            "Freed \(Words.bytes(report.deleted.bytes)) in \(Words.count(report.deleted.objects, "object", "objects")), "
                + "in \(Words.duration(seconds: UInt64(seconds.rounded()))).")
        let repacked = report.repacked
        if repacked.packs > 0 {
            try console.say(
                "Repacked \(Words.count(repacked.packs, "pack", "packs")) of \(Words.bytes(repacked.bytesBefore)) into "
                    + "\(Words.bytes(repacked.bytesAfter)): of what was freed, \(Words.bytes(repacked.rewritten)) are taken "
                    + "again.")
        }
        if let why = repacked.postponed { console.warn("nothing was repacked: \(why)") }
        if let ending { try print(ending, console) }
        try report.usage.print(console)
        try console.tell([
            ("event", "result"), ("dryRun", false), ("objects", .number(report.deleted.objects)),
            ("bytes", .number(report.deleted.bytes)), ("condemned", .number(report.condemned.objects)),
            ("repacked", .number(repacked.packs)), ("rewritten", .number(repacked.rewritten)),
            ("notYet", .number(report.usage.notYet.bytes)),
            ("released", .list(report.released.map { .text($0.claim.hex) })),
            ("unfinishedReleased", .list(report.abandoned.map { .text($0.session.hex) })),
            ("templatesReleased", Self.list(ending)),
            ("remaining", .number(UInt64(report.remaining.count))),
            ("locked", .number(UInt64(report.locked.count))), ("seconds", .fraction(seconds)),
        ])
    }

    private static func list(_ ending: LeanEnding?) -> JSON { .list(ending?.released.map { .text($0.hex) } ?? []) }

    private func print(_ ending: LeanEnding, _ console: Console) throws {
        for template in ending.released {
            try console.say(
                "\(dryRun ? "Would let" : "Let") go of template \(template.hex.prefix(12)): nothing here leans on it any "
                    + "more.")
        }
        if !ending.kept.isEmpty {
            let count = UInt64(ending.kept.count)
            try console.say("Snapshots here lean on \(Words.count(count, "template", "templates")) of the base.")
        }
        if let why = ending.postponed { console.warn("templates were not let go of: \(why)") }
    }
}

extension CollectReport.Released.Why {
    fileprivate var words: String {
        switch self {
        case .asked: "as was asked"
        case .still: "it has not moved since an earlier run"
        case .shortOfSpace: "space is short"
        case .predecessor: "a collector that ended before its time, or runs beside this one, held it to repack"
        }
    }
}
