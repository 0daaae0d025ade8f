internal import ArgumentParser

/// Commands that talk to the coordinator, as the root lists them.
enum OnlineCommands {
    static let all: [any ParsableCommand.Type] = [
        SiteCommand.self, AgentCommand.self, TenantCommand.self, DesktopCommand.self, JobCommand.self,
        RecoveryCommand.self, JournalCommand.self,
    ]
}
