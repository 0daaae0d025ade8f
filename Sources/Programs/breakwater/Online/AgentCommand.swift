internal import ArgumentParser
import Model
import Platform
import Wire

struct AgentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Agents of the sites.", subcommands: [List.self, Token.self])

    struct List: OnlineCommand {
        static let configuration = CommandConfiguration(abstract: "List the agents.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions

        func perform(_ bench: Workbench) async throws -> Int32 {
            let agents = try await connection.connected {
                try await $0.get(Listing<EnrolledAgent>.self, OperatorRoute.agents).items
            }
            try bench.console.list(
                agents, [("agent", .left), ("site", .left), ("state", .left), ("last seen", .left), ("program", .left)]
            ) {
                [$0.id.text, $0.site.text, $0.state.rawValue, $0.lastSeen.map(Words.localTime) ?? "never", $0.version]
            }
            return 0
        }
    }

    struct Token: OnlineCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a one-time token with which an agent enrols.",
            discussion: "The token goes into a file that only you can read; give it to the agent's host by a safe way.")
        @OptionGroup var connection: CoordinatorOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "The site the agent will act for.") var site: Site.ID
        @Option(help: "The agent's id.") var agent: EnrolledAgent.ID
        @Option(help: "How long the token is good, in minutes.") var minutes: Int = 60
        @Option(help: "The file to write; it must not exist.") var out: String

        func perform(_ bench: Workbench) async throws -> Int32 {
            guard try PrivateFile.read(out) == nil else {
                throw Failure(.exists, "\(out) exists already", advice: "Nothing was ordered. Name another file")
            }
            let order = TokenOrder(site: site, agent: agent, minutes: minutes)
            try order.check()
            let issued = try await connection.connected {
                try await $0.post(IssuedToken.self, OperatorRoute.enrolmentTokens, order)
            }
            try PrivateFile.write(try CanonicalJSON.encode(issued), to: out)
            // The secret is in the file and nowhere else.
            try bench.console.tell([
                ("site", .text(issued.site.text)), ("agent", .text(issued.agent.text)),
                ("authority", .text(issued.authority)), ("expires", .text(Words.time(issued.expires))),
                ("file", .text(out)),
            ])
            try bench.console.say("Wrote a token for agent \(issued.agent) at \(issued.site) to \(out),")
            try bench.console.say("good once until \(Words.localTime(issued.expires)).")
            return 0
        }
    }
}
