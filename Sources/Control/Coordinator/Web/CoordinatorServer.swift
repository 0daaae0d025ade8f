import Hummingbird
import HummingbirdTLS
import Logging
import NIOCore
import Platform
import ServiceLifecycle
package import Wire

/// The coordinator at work: its two listeners, its scheduler, and a stop that lets nobody hang.
///
/// Operators and those who want to become agents come without a certificate; agents come with one or not at all.
package struct CoordinatorServer: Service {
    /// Where the listeners ended up; told once both listen.
    package struct Addresses: Sendable {
        package var operators: String
        package var agents: String
    }

    private let coordinator: Coordinator
    private let identity: TLSIdentity
    private let token: String
    private let operators: ServerAddress
    private let agents: ServerAddress
    private let version: String
    private let onListening: @Sendable (Addresses) async -> Void

    package init(
        coordinator: Coordinator, identity: TLSIdentity, operatorToken: String, operators: ServerAddress,
        agents: ServerAddress, version: String, onListening: @escaping @Sendable (Addresses) async -> Void = { _ in }
    ) {
        self.coordinator = coordinator
        self.identity = identity
        token = operatorToken
        self.operators = operators
        self.agents = agents
        self.version = version
        self.onListening = onListening
    }

    package func run() async throws {
        let (ports, told) = AsyncStream.makeStream(of: (Bool, Int).self)
        let problems = ProblemMiddleware(logger: coordinator.logger, uptime: coordinator.surroundings.uptime)
        let operatorServer = try application(
            OperatorRoutes(coordinator: coordinator, token: token, version: version).router(problems),
            identity.serverConfiguration(), at: operators
        ) { told.yield((true, $0)) }
        let agentServer = try application(
            AgentRoutes(coordinator: coordinator).router(problems), identity.mutualServerConfiguration(), at: agents
        ) { told.yield((false, $0)) }
        // Stopped in reverse order: first nobody is held any more, then the listeners close, then the rounds end.
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    Scheduler(coordinator: coordinator), operatorServer, agentServer,
                    Announcement(ports: ports, tell: announce), Release(bell: coordinator.bell),
                ], logger: coordinator.logger))
        try await group.run()
    }

    private func announce(operators operatorPort: Int, agents agentPort: Int) async {
        let addresses = Addresses(
            operators: Self.location(operators.host, operatorPort), agents: Self.location(agents.host, agentPort))
        coordinator.agentsListen(at: addresses.agents)
        coordinator.logger.info(
            "The coordinator listens",
            metadata: ["operators": "\(addresses.operators)", "agents": "\(addresses.agents)"])
        await onListening(addresses)
    }

    private static func location(_ host: String, _ port: Int) -> String {
        "https://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    private func application(
        _ router: Router<CallContext>, _ tls: TLSConfiguration, at address: ServerAddress,
        _ tell: @escaping @Sendable (Int) -> Void
    ) throws -> some Service {
        var quiet = coordinator.logger
        // Hummingbird tells of every connection that a scanner drops.
        quiet.logLevel = max(quiet.logLevel, .warning)
        return Application(
            router: router,
            server: try .tls(
                // Longer than the longest poll.
                .http1(configuration: .init(idleTimeout: .seconds(120))), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(address: .hostname(address.host, port: address.port)),
            onServerRunning: { tell($0.localAddress?.port ?? address.port) }, logger: quiet)
    }
}

/// Waits until both listeners have a port, says so, and stays.
private struct Announcement: Service {
    let ports: AsyncStream<(Bool, Int)>
    let tell: @Sendable (_ operators: Int, _ agents: Int) async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var found: [Bool: Int] = [:]
            for await (isOperators, port) in ports {
                found[isOperators] = port
                if let operators = found[true], let agents = found[false] {
                    await tell(operators, agents)
                    break
                }
            }
        }
        // A service that ends would end the others.
        try? await gracefulShutdown()
    }
}

/// Lets held answers go as soon as a stop is asked for.
private struct Release: Service {
    let bell: Bell

    func run() async throws {
        try? await gracefulShutdown()
        bell.close()
    }
}
