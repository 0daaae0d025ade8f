import ArgumentParser
import Foundation
import Logging
import Model
import Platform
import SiteAgent
import Wire
import Yams

/// `breakwater-agent`: flags and wiring only.
@main
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breakwater-agent", abstract: "The agent of a site: does its work and serves its vault.",
        version: Agent.program, subcommands: [Serve.self, Enrol.self])

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Serve until told to end (SIGTERM).")

        @OptionGroup var options: Options

        func run() async throws {
            let logger = options.makeLogger()
            await Exit.onFailure(logger) {
                // The unit file gives it 60 seconds.
                try await Agent(try options.read(), surroundings: .system, logger: logger)
                    .serve(endingWithin: .seconds(45))
            }
        }
    }

    struct Enrol: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Buy a certificate of the coordinator with a one-time token.")

        @OptionGroup var options: Options

        @Option(help: "The file with the token, or with the JSON it came in. It never stands in the arguments.")
        var tokenFile: String

        func run() async throws {
            let logger = options.makeLogger()
            await Exit.onFailure(logger) {
                guard let bytes = try PrivateFile.read(tokenFile) else {
                    throw Failure(
                        .notFound, "There is no token file \(tokenFile)",
                        advice: "`breakwater agent token` writes one.")
                }
                try await Agent.enrol(
                    try options.read(), token: try EnrolmentToken(String(decoding: bytes, as: UTF8.self)),
                    surroundings: .system, logger: logger)
            }
        }
    }
}

/// What both commands are told.
struct Options: ParsableArguments {
    @Option(help: "The configuration file (YAML).")
    var configuration: String

    @Option(help: "How much is logged: trace, debug, info, notice, warning, error, critical.")
    var logLevel: String = "info"

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level \(logLevel) is no level")
        }
    }

    func makeLogger() -> Logger {
        let level = Logger.Level(rawValue: logLevel) ?? .info
        return Logger(label: "breakwater-agent") { label in
            JSONLines(label: label, level: level, now: Surroundings.system.now)
        }
    }

    func read() throws(Failure) -> AgentConfiguration {
        guard let bytes = try PrivateFile.read(configuration) else {
            throw Failure(.notFound, "There is no configuration file \(configuration)", advice: "Check the path")
        }
        do {
            let text = String(decoding: bytes, as: UTF8.self)
            let found = Set((try Yams.load(yaml: text) as? [String: Any])?.keys.map { $0 } ?? [])
            if let stranger = found.subtracting(AgentConfiguration.names).min() {
                throw Failure(
                    .usage, "\(configuration) says \"\(stranger)\", which an agent does not know",
                    advice: "It knows \(AgentConfiguration.names.sorted().joined(separator: ", "))")
            }
            return try YAMLDecoder().decode(AgentConfiguration.self, from: text)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                .usage, "\(configuration) is not an agent's configuration", advice: "Sites/agent.yaml shows one",
                cause: error)
        }
    }
}

/// Failures become a line for the log, a sentence for people, and an exit code that scripts rely on.
enum Exit {
    static func onFailure(_ logger: Logger, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            let failure = error as? Failure ?? Failure(.failed, "The agent ended", cause: error)
            logger.critical("\(failure)", metadata: ["code": "\(failure.code.rawValue)"])
            exit(failure.code.exitCode)
        }
    }
}
