internal import ArgumentParser
import ObjectStore
import Platform
import Replication
import Repository
import Sealing

/// Copies a vault to another, sealed as it is.
struct CopyCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy what another vault lacks, sealed as it is; no passphrase is needed.",
        discussion: """
            Every pack is verified as it arrives and a snapshot is committed last. Run it again to go on where it stopped.
            Into a vault that was made elsewhere the repository's owner can copy, with the passphrase.
            Snapshots that lean on templates want --base: the vault of their repository at the destination.
            """)

    @Option(name: .customLong("from"), help: ArgumentHelp("The vault to copy.", valueName: "vault"))
    var source: String

    @Option(name: .customLong("to"), help: ArgumentHelp("The vault to copy to; made if need be.", valueName: "vault"))
    var target: String

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var base: BaseOptions

    static let whenInterrupted: String? = nil

    func perform(_ bench: Workbench) throws -> Int32 {
        // Each of many threads would keep the room of a whole pack.
        Heap.keepSmall()
        let start = bench.surroundings.uptime()
        let origin = try bench.besides("--from") { () throws(Failure) in try bench.store(at: source, .reading) }
        // One that lost its genesis is opened by the mirror at the destination, or said to be damaged.
        guard try origin.length(of: try Record.key(0)) != nil || Log.lostGenesis(of: origin) != nil else {
            throw Failure(
                .notFound, "there is no repository in \(origin.location)", advice: "Check the path of --from.")
        }
        return try bench.inPlace(of: target) { place in
            let found = try bench.store(at: place, .reading)
            var isEmpty = false
            if try !Workbench.isInBucket(place) && found.length(of: try Record.key(0)) == nil {
                isEmpty = try VaultFolder.requireVacant(found.location)
            }
            return try bench.fill(place, wasEmpty: isEmpty) { try copy(origin, to: $0, bench, since: start) }
        }
    }

    private func copy(
        _ origin: any ObjectStore, to destination: any ObjectStore, _ bench: Workbench, since start: UInt64
    ) throws -> Int32 {
        var options = Replicator.Options()
        options.base = try base.openAsSite(bench, .writing, passphrase)
        let replicator = Replicator(
            from: origin, to: destination, siteKeys: ClientSiteKeys(bench, passphrase: passphrase),
            heads: bench.heads(), surroundings: bench.surroundings, options: options)
        let progress = bench.progress("copying")
        let interruption = bench.interruption
        let report: CopyReport
        do {
            report = try replicator.run(
                progress: { step in
                    progress.expect(step.bytesInAll)
                    progress.note(bytes: step.bytes, files: 0)
                },
                isCancelled: { interruption.isAsked })
        } catch let failure as Failure where failure.code == .cancelled {
            throw Failure(
                .cancelled, failure.what,
                advice: "Snapshots copied before are committed there. Run it again to go on where it stopped.")
        }
        try print(report, to: destination.location, bench, since: start)
        if let shortfall = report.shortfall { throw shortfall }
        return 0
    }

    private func print(_ report: CopyReport, to location: String, _ bench: Workbench, since start: UInt64) throws {
        let console = bench.console
        if !report.recordsLost.isEmpty {
            let numbers = report.recordsLost.map(String.init).joined(separator: ", ")
            let which = report.recordsLost.count == 1 ? "log record \(numbers) is" : "log records \(numbers) are"
            console.warn("\(which) lost at the origin, and read from the mirror in \(location)")
        }
        for failure in report.damagedSegments { console.warn("\(failure.what); nothing is lost by it") }
        for damaged in report.damaged {
            console.warn("snapshot \(damaged.snapshot.hex.prefix(12)) was not copied: \(damaged.problem.what)")
        }
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        try console.say(
            "Copied \(Words.count(UInt64(report.copied.count), "snapshot", "snapshots")) to \(location), "
                + "sending \(Words.bytes(report.bytesSent)), in \(Words.duration(seconds: UInt64(seconds.rounded()))); "
                + "\(Words.count(report.alreadyThere, "was", "were")) there already.")
        if report.forgotten > 0 {
            let words = Words.count(
                report.forgotten, "was forgotten there and stays so", "were forgotten there and stay so")
            try console.say("\(words).")
        }
        try console.tell([
            ("event", "result"), ("repository", .text(report.repository.description)),
            ("origin", .text(report.origin.hex)), ("destination", .text(report.destination.hex)),
            ("isNew", .flag(report.isNew)), ("copied", .list(report.copied.map { .text($0.hex) })),
            ("alreadyThere", .number(UInt64(report.alreadyThere))), ("forgotten", .number(UInt64(report.forgotten))),
            ("notCopied", .list(report.damaged.map { .text($0.snapshot.hex) })),
            ("packs", .number(UInt64(report.packs))),
            ("packsResumed", .number(UInt64(report.packsResumed))), ("bytesSent", .number(report.bytesSent)),
            ("bytesAlreadyThere", .number(report.bytesAlreadyThere)), ("seconds", .fraction(seconds)),
        ])
    }
}
