internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// Gives up a record of the log that is lost, so that the log goes on.
struct VoidCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "void", abstract: "Give up a record of the log that no vault has any more, so that backups go on.",
        discussion: """
            What was appended after that record has no effect for ever. Look first whether another vault has it, and take \
            it from there: `breakwater repository repair --from`.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions

    @Flag(name: .long, help: "Do not ask, also when snapshots are given up.")
    var yes = false

    @Argument(help: "The number of the record.")
    var number: UInt64

    static let whenInterrupted: String? = "`breakwater repository check` shows whether the record was voided."

    func perform(_ bench: Workbench) throws -> Int32 {
        let secret = try passphrase.read(bench.console)
        let repository = try bench.open(vault.path, .writing, passphrase: secret)
        let plan = try repository.planVoid(of: number)
        let console = bench.console
        if plan.records > 0 {
            let records = Words.count(plan.records, "record", "records")
            let snapshots = Words.count(UInt64(plan.snapshots.count), "snapshot", "snapshots")
            try console.say(
                "Behind record \(number) \(plan.records == 1 ? "lies" : "lie") \(records), with \(snapshots), to be given up with it."
            )
            for snapshot in plan.snapshots { try console.say("    gives up snapshot \(snapshot.hex.prefix(12))") }
            try bench.confirm(
                "Give up record \(number) and the \(records) after it?", isGiven: yes,
                otherwise:
                    "record \(number) was not voided, since \(records) and \(snapshots) would be given up with it")
        }
        try repository.void(plan)
        try console.say("Record \(number) is void, and the log in \(repository.store.location) goes on.")
        try console.tell([
            ("event", "result"), ("voided", .number(number)), ("recordsGivenUp", .number(plan.records)),
            ("snapshotsGivenUp", .list(plan.snapshots.map { .text($0.hex) })),
            ("head", .number(repository.log.state.head)),
        ])
        return 0
    }
}
