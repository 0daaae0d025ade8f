internal import ArgumentParser

/// The root of all commands: `breakwater <noun> <verb>`.
struct Breakwater: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breakwater",
        abstract: "Backup, offsite copies and recovery of desktops.",
        discussion: """
            Exit codes: 0 done, 2 usage, 3 refused, 4 not found, 5 partly done, 6 failed, 7 unreachable.
            Output is for people on a terminal, and JSON, one object a line, when piped or with --json.
            """,
        version: "0.1.0",
        subcommands: [RepositoryCommand.self] + OnlineCommands.all)
}

/// The offline toolbox: works on vaults alone, with no coordinator.
struct RepositoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repository",
        abstract: "Work on a vault directly, with no coordinator.",
        subcommands: [
            InitCommand.self, BackupCommand.self, SnapshotsCommand.self, ListCommand.self, RestoreCommand.self,
            CheckCommand.self, RepairCommand.self, CopyCommand.self, FindCommand.self, DiffCommand.self,
            ExportCommand.self, MountCommand.self, VoidCommand.self, SettleCommand.self, AcceptHeadCommand.self,
            ForgetCommand.self, CollectCommand.self, UsageCommand.self, KeysCommand.self,
        ])
}
