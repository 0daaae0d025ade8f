internal import ArgumentParser
import Model
import Platform
import Wire

struct RecoveryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recovery", abstract: "Start desktops at another site.",
        subcommands: [Start.self, List.self, Show.self, Wait.self, Cleanup.self])

    struct Start: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "Declare a desktop's own site lost and start it at another, from that site's copy.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The desktop's id.") var desktop: Desktop.ID
        @Option(help: "Where to start it.") var site: Site.ID
        @Option(help: "A recovery point; the newest at the site when not given.") var point: RecoveryPoint.ID?
        @Option(help: "How the line begins that it prints on its console once it is ready.") var readyLine: String = ""
        @Option(help: "The port inside that must answer; without one the guest agent must.") var port: Int?
        @Option(help: "How long it may take, in seconds.") var deadline: Int = 120
        @Option(help: "The run's id: the same order sent twice under one id is one run.") var id: RecoveryRun.ID?
        @Flag(help: "Wait until it is ready; the exit code then tells how it ended.") var wait = false

        func perform(_ bench: Workbench) async throws -> Int32 {
            let order = RecoveryOrder(
                id: id, desktop: desktop, site: site, recoveryPoint: point,
                probe: Probe(readyLine: readyLine, port: port, deadlineSeconds: deadline))
            try order.check()
            return try await connection.connected { client in
                let run = try await client.post(RecoveryRun.self, OperatorRoute.recoveryRuns, order)
                if wait { return try await Waiting.forRun(run, cleanedUp: false, client, bench) }
                try RecoveryWords.show(run, bench)
                return 0
            }
        }
    }

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List recovery runs.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions

        func perform(_ bench: Workbench) async throws -> Int32 {
            let runs = try await connection.connected {
                try await $0.get(Listing<RecoveryRun>.self, OperatorRoute.recoveryRuns).items
            }
            try bench.console.list(
                runs,
                [
                    ("run", .left), ("desktop", .left), ("site", .left), ("state", .left), ("declared", .left),
                    ("ready after", .right),
                ]
            ) { run in
                [
                    run.id.text, run.plan.desktop.text, run.plan.site.text, run.state.rawValue,
                    Words.localTime(run.times.declared),
                    run.recoveryMilliseconds.map { JobWords.seconds(UInt64(max(0, $0))) } ?? "-",
                ]
            }
            return 0
        }
    }

    struct Show: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Show one run with its evidence.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The run's id.") var run: RecoveryRun.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try RecoveryWords.show(
                try await connection.connected {
                    try await $0.get(RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(run)")
                }, bench)
            return 0
        }
    }

    struct Wait: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Wait until a run is ready or has failed.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The run's id.") var run: RecoveryRun.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await connection.connected { client in
                try await Waiting.forRun(
                    try await client.get(RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(run)"), cleanedUp: false,
                    client, bench)
            }
        }
    }

    struct Cleanup: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop a run's machine and remove what it wrote. Its record and evidence stay.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The run's id.") var run: RecoveryRun.ID
        @Flag(help: "Wait until it is done.") var wait = false

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await connection.connected { client in
                let cleaning = try await client.post(RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(run)/cleanup")
                if wait { return try await Waiting.forRun(cleaning, cleanedUp: true, client, bench) }
                try RecoveryWords.show(cleaning, bench)
                return 0
            }
        }
    }
}
