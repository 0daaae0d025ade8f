internal import ArgumentParser
import Model
import Platform
import Wire

struct TenantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant", abstract: "Tenants.", subcommands: [Create.self, List.self, Show.self])

    struct Create: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a tenant, with keys and a repository in the vault of every site named.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The tenant's id.") var tenant: Tenant.ID
        @Option(help: "The tenant's name, for people.") var title: String = ""
        @Option(name: .customLong("site"), help: "A site whose vault holds the tenant's repository; once for each.")
        var sites: [Site.ID]

        func perform(_ bench: Workbench) async throws -> Int32 {
            let order = TenantOrder(id: tenant, title: title.isEmpty ? tenant.text : title, sites: sites)
            try order.check()
            let made = try await connection.connected {
                try await $0.post(Tenant.self, OperatorRoute.tenants, order)
            }
            try TenantCommand.show(made, bench)
            return 0
        }
    }

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List the tenants.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions

        func perform(_ bench: Workbench) async throws -> Int32 {
            let tenants = try await connection.connected {
                try await $0.get(Listing<Tenant>.self, OperatorRoute.tenants).items
            }
            try bench.console.list(tenants, [("tenant", .left), ("title", .left), ("repository", .left)]) {
                [$0.id.text, $0.title, String($0.repository.prefix(16))]
            }
            return 0
        }
    }

    struct Show: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Show one tenant.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The tenant's id.") var tenant: Tenant.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try TenantCommand.show(
                try await connection.connected { try await $0.get(Tenant.self, "\(OperatorRoute.tenants)/\(tenant)") },
                bench)
            return 0
        }
    }

    private static func show(_ tenant: Tenant, _ bench: Workbench) throws {
        try bench.console.show(
            tenant,
            [
                ("tenant", tenant.id.text), ("title", tenant.title), ("repository", tenant.repository),
                ("created", Words.localTime(tenant.created)),
            ])
    }
}
