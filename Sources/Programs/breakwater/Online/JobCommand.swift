internal import ArgumentParser
import Model
import Platform
import Wire

struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Work for the agents: order it, watch it, cancel it.",
        subcommands: [
            Backup.self, Replicate.self, Restore.self, Check.self, List.self, Show.self, Wait.self, Cancel.self,
        ])

    /// What every order takes besides its own.
    struct OrderOptions: ParsableArguments, Sendable {
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Flag(help: "Wait until it is over; the exit code then tells how it ended.") var wait = false
        @Option(help: "The job's id: the same order sent twice under one id is one job.") var id: Job.ID?

        func send(_ order: JobOrder, _ bench: Workbench) async throws -> Int32 {
            try order.check()
            return try await connection.connected { client in
                let job = try await client.post(Job.self, OperatorRoute.jobs, order)
                if wait { return try await Waiting.forJob(job, client, bench) }
                try JobWords.show(job, bench)
                return 0
            }
        }
    }

    struct Backup: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Back a desktop up at its home site.")
        @OptionGroup var options: OrderOptions
        var output: OutputOptions { options.output }
        @Argument(help: "The desktop's id.") var desktop: Desktop.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await options.send(JobOrder(kind: .backup, id: options.id, desktop: desktop), bench)
        }
    }

    struct Replicate: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Pull a tenant's offsite copy to a site.")
        @OptionGroup var options: OrderOptions
        var output: OutputOptions { options.output }
        @Option(help: "Whose repository.") var tenant: Tenant.ID
        @Option(help: "The site that pulls.") var site: Site.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await options.send(JobOrder(kind: .replicate, id: options.id, tenant: tenant, site: site), bench)
        }
    }

    struct Restore: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a desktop's files or disk at a site, where nothing of them stands.")
        @OptionGroup var options: OrderOptions
        var output: OutputOptions { options.output }
        @Argument(help: "The desktop's id.") var desktop: Desktop.ID
        @Option(help: "The site whose copy is read, and where it is written.") var site: Site.ID
        @Option(help: "files or disk.") var what: String = "files"
        @Option(help: "A directory for files, a file for a disk; an absolute path at the site.") var target: String
        @Option(help: "Only this path and what is under it; once for each.") var include: [String] = []
        @Option(help: "A recovery point; the newest at the site when not given.") var point: RecoveryPoint.ID?

        func validate() throws {
            guard RestoreWork.What(rawValue: what) != nil else { throw ValidationError("--what is files or disk.") }
        }

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await options.send(
                JobOrder(
                    kind: .restore, id: options.id, desktop: desktop, site: site, recoveryPoint: point,
                    what: RestoreWork.What(rawValue: what), include: include, target: target), bench)
        }
    }

    struct Check: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Check a tenant's repository at a site.")
        @OptionGroup var options: OrderOptions
        var output: OutputOptions { options.output }
        @Option(help: "Whose repository.") var tenant: Tenant.ID
        @Option(help: "The site whose vault is checked.") var site: Site.ID
        @Flag(help: "Read every byte.") var readData = false

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await options.send(
                JobOrder(kind: .check, id: options.id, tenant: tenant, site: site, readData: readData), bench)
        }
    }

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only those in this state.") var state: String?
        @Option(help: "Only those of this tenant.") var tenant: Tenant.ID?
        @Option(help: "At most so many.") var limit: Int = 50

        func perform(_ bench: Workbench) async throws -> Int32 {
            var query = [("limit", "\(limit)")]
            if let state { query.append(("state", state)) }
            if let tenant { query.append(("tenant", tenant.text)) }
            let jobs = try await connection.connected {
                try await $0.get(Listing<Job>.self, OperatorRoute.jobs, query: query).items
            }
            try bench.console.list(
                jobs,
                [
                    ("job", .left), ("kind", .left), ("site", .left), ("tenant", .left), ("desktop", .left),
                    ("state", .left), ("term", .right), ("changed", .left),
                ]
            ) { job in
                [
                    job.id.text, job.kind.rawValue, job.site.text, job.tenant.text, job.desktop?.text ?? "-",
                    job.state.name.rawValue, "\(job.term)", Words.localTime(job.changed),
                ]
            }
            return 0
        }
    }

    struct Show: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Show one job.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The job's id.") var job: Job.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try JobWords.show(
                try await connection.connected { try await $0.get(Job.self, "\(OperatorRoute.jobs)/\(job)") }, bench)
            return 0
        }
    }

    struct Wait: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "Wait until a job is over; the exit code tells how it ended.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The job's id.") var job: Job.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try await connection.connected { client in
                try await Waiting.forJob(
                    try await client.get(Job.self, "\(OperatorRoute.jobs)/\(job)"), client, bench)
            }
        }
    }

    struct Cancel: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Cancel a job.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The job's id.") var job: Job.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try JobWords.show(
                try await connection.connected { try await $0.post(Job.self, "\(OperatorRoute.jobs)/\(job)/cancel") },
                bench)
            return 0
        }
    }
}
