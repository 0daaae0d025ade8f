internal import ArgumentParser
import Model
import Platform
import Wire

struct DesktopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "desktop", abstract: "Desktops and their recovery points.",
        subcommands: [Create.self, List.self, Show.self, Points.self])

    struct Create: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Declare a desktop.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The desktop's id.") var desktop: Desktop.ID
        @Option(help: "Whose it is.") var tenant: Tenant.ID
        @Option(help: "Its home site, whose agent backs it up.") var site: Site.ID
        @Option(help: "Its name, for people.") var title: String = ""
        @Option(help: "A raw disk image at the site.") var disk: String?
        @Option(name: .customLong("folder"), help: "A folder at the site; once for each.") var folders: [String] = []
        @Option(help: "Memory of the machine it starts as, in MiB.") var memory: Int = 256
        @Option(help: "Processors of that machine.") var processors: Int = 1
        @Option(help: "bios or uefi.") var firmware: String = "bios"
        @Option(name: .customLong("port"), help: "A port inside that people and probes reach; once for each.")
        var ports: [Int] = []

        func validate() throws {
            guard MachineProfile.Firmware(rawValue: firmware) != nil else {
                throw ValidationError("--firmware is bios or uefi.")
            }
        }

        func perform(_ bench: Workbench) async throws -> Int32 {
            let order = DesktopOrder(
                id: desktop, tenant: tenant, title: title.isEmpty ? desktop.text : title, site: site, diskImage: disk,
                folders: folders,
                machine: MachineProfile(
                    memoryMiB: memory, processors: processors, firmware: .init(rawValue: firmware) ?? .bios,
                    ports: ports))
            try order.check()
            let made = try await connection.connected {
                try await $0.post(Desktop.self, OperatorRoute.desktops, order)
            }
            try DesktopCommand.show(made, bench)
            return 0
        }
    }

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List the desktops.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Only those of this tenant.") var tenant: Tenant.ID?

        func perform(_ bench: Workbench) async throws -> Int32 {
            let query = tenant.map { [("tenant", $0.text)] } ?? []
            let desktops = try await connection.connected {
                try await $0.get(Listing<Desktop>.self, OperatorRoute.desktops, query: query).items
            }
            try bench.console.list(
                desktops, [("desktop", .left), ("tenant", .left), ("site", .left), ("title", .left)]
            ) { [$0.id.text, $0.tenant.text, $0.site.text, $0.title] }
            return 0
        }
    }

    struct Show: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "Show one desktop.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The desktop's id.") var desktop: Desktop.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            try DesktopCommand.show(
                try await connection.connected {
                    try await $0.get(Desktop.self, "\(OperatorRoute.desktops)/\(desktop)")
                }, bench)
            return 0
        }
    }

    struct Points: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "List a desktop's recovery points, and where copies of them are.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The desktop's id.") var desktop: Desktop.ID

        func perform(_ bench: Workbench) async throws -> Int32 {
            let points = try await connection.connected {
                try await $0.get(
                    Listing<RecoveryPoint>.self, OperatorRoute.recoveryPoints, query: [("desktop", desktop.text)]
                ).items
            }
            try bench.console.list(
                points,
                [
                    ("point", .left), ("taken", .left), ("bytes", .right), ("stored", .right), ("files", .right),
                    ("snapshot", .left), ("copies", .left),
                ]
            ) { point in
                [
                    point.id.text, Words.localTime(point.taken), Words.bytes(point.bytes),
                    Words.bytes(point.storedBytes), "\(point.files)", String(point.snapshot.prefix(12)),
                    point.copies.map(\.site.text).joined(separator: ", "),
                ]
            }
            return 0
        }
    }

    private static func show(_ desktop: Desktop, _ bench: Workbench) throws {
        try bench.console.show(
            desktop,
            [
                ("desktop", desktop.id.text), ("title", desktop.title), ("tenant", desktop.tenant.text),
                ("site", desktop.site.text), ("disk", desktop.diskImage ?? ""),
                ("folders", desktop.folders.joined(separator: ", ")),
                (
                    "machine",
                    "\(desktop.machine.memoryMiB) MiB, "
                        + "\(Words.count(desktop.machine.processors, "processor", "processors")), "
                        + "\(desktop.machine.firmware)"
                ),
            ])
    }
}
