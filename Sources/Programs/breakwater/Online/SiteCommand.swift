internal import ArgumentParser
import Model
import Platform
import Wire

struct SiteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "site", abstract: "Sites and their vaults.", subcommands: [List.self, Show.self, Vaults.self])

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List the sites.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions

        func perform(_ bench: Workbench) async throws -> Int32 {
            let sites = try await connection.connected {
                try await $0.get(Listing<Site>.self, OperatorRoute.sites).items
            }
            try bench.console.list(
                sites, [("site", .left), ("title", .left), ("peer", .left), ("vault", .left), ("address", .left)]
            ) { [$0.id.text, $0.title, $0.peer?.text ?? "-", $0.vault.path, $0.address] }
            return 0
        }
    }

    struct Show: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Show one site.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The site's id.") var site: Site.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            let found = try await connection.connected {
                try await $0.get(Site.self, "\(OperatorRoute.sites)/\(site)")
            }
            try bench.console.show(
                found,
                [
                    ("site", found.id.text), ("title", found.title), ("failure domain", found.failureDomain),
                    ("peer", found.peer?.text ?? "none"), ("vault", found.vault.path), ("address", found.address),
                    ("accelerator", found.accelerator.rawValue),
                ])
            return 0
        }
    }

    struct Vaults: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List the repositories in the sites' vaults.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions

        func perform(_ bench: Workbench) async throws -> Int32 {
            let vaults = try await connection.connected {
                try await $0.get(Listing<TenantVault>.self, OperatorRoute.vaults).items
            }
            try bench.console.list(
                vaults, [("tenant", .left), ("site", .left), ("vault", .left), ("state", .left), ("head", .right)]
            ) {
                [$0.tenant.text, $0.site.text, $0.vault.text, $0.state.rawValue, $0.head.map { "\($0.number)" } ?? "-"]
            }
            return 0
        }
    }
}
