import ArgumentParser
import Catalog
import Coordinator
import Foundation
import Logging
import Model
import Platform
import ServiceLifecycle
import UnixSignals
import Wire

/// `breakwater-coordinator`: flags and wiring only.
@main
struct CoordinatorCommand: AsyncParsableCommand {
    static let version = "breakwater-coordinator 1"

    static let configuration = CommandConfiguration(
        commandName: "breakwater-coordinator", abstract: "Decides who backs up, copies, restores and recovers what.",
        version: version, subcommands: [Serve.self, Check.self])

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Serve until told to end (SIGTERM).")

        @OptionGroup var options: Options

        func run() async throws {
            let logger = options.makeLogger()
            do {
                try await serve(try CoordinatorConfiguration.read(options.configuration), logger)
                logger.info("The coordinator has stopped")
            } catch {
                let failure = error as? Failure ?? Failure(.failed, "The coordinator ended", cause: error)
                logger.critical("\(failure)", metadata: ["code": "\(failure.code.rawValue)"])
                throw ExitCode(failure.code.exitCode)
            }
        }

        private func serve(_ configuration: CoordinatorConfiguration, _ logger: Logger) async throws {
            let surroundings = Surroundings.system
            let now = surroundings.now()
            let sites = try configuration.readSites(beside: options.configuration)
            let state = try StateDirectory(options.state ?? configuration.state)
            let authority = try state.authority(now: now)
            let catalog = try Catalog(path: state.catalogPath)
            let hasTenants = try await catalog.read { try !$0.tenants().isEmpty }
            let coordinator = Coordinator(
                catalog: catalog,
                keyring: Keyring(masterKey: try state.masterKey(mayMake: !hasTenants, surroundings)),
                authority: authority, settings: try configuration.settings(), surroundings: surroundings, logger: logger
            )
            try await coordinator.takeUp(sites: sites)
            let operators = try ServerAddress(hostAndPort: configuration.operators)
            let agents = try ServerAddress(hostAndPort: configuration.agents)
            let names = configuration.names ?? ["localhost", "127.0.0.1", operators.host, agents.host]
            let server = CoordinatorServer(
                coordinator: coordinator,
                identity: try authority.issueServer(names: Array(Set(names)).sorted(), at: now),
                operatorToken: try state.operatorToken(surroundings), operators: operators, agents: agents,
                version: CoordinatorCommand.version)
            let group = ServiceGroup(
                configuration: .init(
                    // The unit file gives it 30 seconds.
                    services: [server, EndInTime(within: .seconds(20), logger: logger)],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
            try await group.run()
            try coordinator.close()
            // The lock is held to here.
            _ = state.path
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read the configuration and the sites it names, and say what is wrong with them.")

        @Option(help: "The configuration file (YAML).")
        var configuration: String

        func run() async throws {
            do throws(Failure) {
                let read = try CoordinatorConfiguration.read(configuration)
                _ = try read.settings()
                for site in try read.readSites(beside: configuration) { print("\(site.id): \(site.title)") }
            } catch {
                FileHandle.standardError.write(Data("\(error)\n".utf8))
                throw ExitCode(error.code.exitCode)
            }
        }
    }
}

/// What the program is told.
struct Options: ParsableArguments {
    @Option(help: "The configuration file (YAML).")
    var configuration: String

    @Option(help: "The state directory, rather than the one the configuration names.")
    var state: String?

    @Option(help: "How much is logged: trace, debug, info, notice, warning, error, critical.")
    var logLevel: String = "info"

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level \(logLevel) is no level")
        }
    }

    func makeLogger() -> Logger {
        let level = Logger.Level(rawValue: logLevel) ?? .info
        return Logger(label: "breakwater-coordinator") { label in
            JSONLines(label: label, level: level, now: Surroundings.system.now)
        }
    }
}
