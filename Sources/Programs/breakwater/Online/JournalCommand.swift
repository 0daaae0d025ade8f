internal import ArgumentParser
import Model
import Platform
import Wire

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "The audit journal.", subcommands: [List.self, Verify.self])

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List entries, oldest first.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only entries after this number.") var after: UInt64 = 0
        @Option(help: "At most so many.") var limit: Int = 200

        func perform(_ bench: Workbench) async throws -> Int32 {
            let entries = try await connection.connected {
                try await $0.get(
                    Listing<JournalEntry>.self, OperatorRoute.journal,
                    query: [("after", "\(after)"), ("limit", "\(limit)")]
                ).items
            }
            try bench.console.list(
                entries,
                [("number", .right), ("when", .left), ("who", .left), ("what", .left), ("to", .left), ("", .left)]
            ) { entry in
                [
                    "\(entry.sequence)", Words.time(entry.event.when),
                    "\(entry.event.actor.kind) \(entry.event.actor.name)",
                    entry.event.what, entry.event.subject,
                    entry.event.details.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(
                        separator: " "),
                ]
            }
            return 0
        }
    }

    struct Verify: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Check that no entry was changed, removed or put in.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions

        func perform(_ bench: Workbench) async throws -> Int32 {
            let verdict = try await connection.connected {
                try await $0.get(JournalVerdict.self, OperatorRoute.verifyJournal, patience: 60)
            }
            try bench.console.show(verdict, [("entries", "\(verdict.entries)"), ("head", verdict.head)])
            if let broken = verdict.broken {
                throw Failure(
                    .damaged, "Entry \(broken.sequence) of the journal does not hold: \(broken.reason)",
                    advice: "The entries before it hold. Keep the catalog as it is, and find out who could write to it."
                )
            }
            return 0
        }
    }
}
