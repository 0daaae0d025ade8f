internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// Decides records of the log that nobody can judge any more, so that the log goes on.
struct SettleCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "settle", abstract: "Decide records that cannot be judged any more, so that backups go on.",
        discussion: """
            A record is judged by sets and pages. Where one is lost in every vault, nothing is appended, lest it be wrong. \
            Look first whether another vault has it, or it can be made anew: `breakwater repository repair --from`.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions

    @Option(name: .long, help: ArgumentHelp("Another vault, which may have what is lost.", valueName: "vault"))
    var also: [String] = []

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    static let whenInterrupted: String? = "`breakwater repository check` shows whether the log can be judged."

    func perform(_ bench: Workbench) throws -> Int32 {
        let console = bench.console
        let repository = try bench.open(
            vault.path, .writing, passphrase: try passphrase.read(console), also: also)
        let location = repository.store.location
        guard let plan = try repository.log.planSettlement() else {
            throw Failure(
                .refused, "every record of the log in \(location) can be judged",
                advice: "There is nothing to settle, and nothing was changed.")
        }
        for decision in plan.decisions { try console.say("    \(Self.meaning(of: decision))") }
        for snapshot in plan.lost { try console.say("    gives up snapshot \(snapshot.hex.prefix(12))") }
        try bench.confirm(
            "Decide so, for ever, in the log in \(location)?", isGiven: yes, otherwise: "nothing was decided")
        try repository.settle(plan)
        try console.say("Settled: the log in \(location) goes on.")
        try console.tell([
            ("event", "result"), ("records", .list(plan.decisions.map { .number($0.number) })),
            ("snapshotsGivenUp", .list(plan.lost.map { .text($0.hex) })),
            ("head", .number(repository.log.state.head)),
        ])
        return 0
    }

    private static func meaning(of decision: Settlement.Decision) -> String {
        let snapshot = decision.snapshot.map { " of snapshot \($0.hex.prefix(12))" } ?? ""
        let what = "record \(decision.number), a \(decision.title)\(snapshot),"
        return switch decision.outcome {
        case .asItReads: "\(what) is taken as it reads"
        case .givenUp: "\(what) is given up, since the page that lists its objects is lost"
        case .void(let reason): "\(what) has no effect: \(reason)"
        }
    }
}
