package import Logging
import Model
package import Platform
import ServiceLifecycle
import UnixSignals
import Wire

/// The agent of a site: serves the vault to the peer, asks the coordinator for work and does it.
///
/// On SIGTERM it takes no more work, gives back what runs, stops its machines and lets the peer's requests end. After
/// SIGKILL the next start finds everything in the state directory and the vault; what was half done is not visible.
package struct Agent: Sendable {
    package static let program = "breakwater-agent 0.1"

    private let configuration: AgentConfiguration
    private let state: AgentState
    private let enrolment: AgentState.Enrolment
    private let identity: TLSIdentity
    private let secrets: AgentSecrets
    private let surroundings: Surroundings
    private let logger: Logger

    /// - Throws: `.notFound` when the agent has not enrolled; `.refused` when it enrolled for another site, or when
    ///   another agent has the state directory.
    package init(_ configuration: AgentConfiguration, surroundings: Surroundings, logger: Logger) throws(Failure) {
        try configuration.check()
        self.configuration = configuration
        self.surroundings = surroundings
        state = try AgentState(configuration.state)
        enrolment = try state.enrolment()
        guard enrolment.site.id == configuration.site else {
            throw Failure(
                .refused,
                "This agent enrolled for site \(enrolment.site.id), and its configuration says \(configuration.site)",
                advice: "Use the state directory of that site, or enrol again in an empty one")
        }
        identity = try enrolment.identity()
        secrets = try state.keys(surroundings)
        var logger = logger
        logger[metadataKey: "site"] = "\(enrolment.site.id)"
        logger[metadataKey: "agent"] = "\(enrolment.agent)"
        self.logger = logger
    }

    /// Buys a certificate with a one-time token, and keeps it. Enrolling again replaces it.
    package static func enrol(
        _ configuration: AgentConfiguration, token: EnrolmentToken, surroundings: Surroundings, logger: Logger
    ) async throws(Failure) {
        try configuration.check()
        let state = try AgentState(configuration.state)
        let enrolled = try await Enrolment.enrol(
            coordinator: configuration.coordinator,
            fingerprint: try token.fingerprint(configured: configuration.authority), token: token.secret,
            keys: try state.keys(surroundings).publicKeys, program: program)
        guard enrolled.response.site.id == configuration.site else {
            throw Failure(
                .refused,
                "The token was for site \(enrolled.response.site.id), and the configuration says \(configuration.site)",
                advice: "Ask for a token of this site; this one is used up")
        }
        try state.keep(AgentState.Enrolment(enrolled))
        logger.info(
            "Enrolled", metadata: ["site": "\(enrolled.response.site.id)", "agent": "\(enrolled.response.agent)"])
    }

    /// Runs until it is told to end.
    /// - Parameters:
    ///   - limit: the process ends so long after it was told to, if it has not by then; nil for one that is not its own.
    ///   - onListening: told the port on which the vault is served.
    package func serve(
        endingWithin limit: Duration? = nil, onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async throws {
        let agent = AgentIdentity(site: enrolment.site.id, agent: enrolment.agent)
        for folder in try state.leftoverRuns() {
            logger.notice("A machine of an earlier run of this agent is gone", metadata: ["folder": "\(folder)"])
            try Folder.remove(folder)
        }
        let vault = SiteVault(configuration.vault, surroundings: surroundings)
        let machines = SiteMachines(accelerator: configuration.accelerator, surroundings: surroundings, logger: logger)
        let worker = SiteWorker(
            state: state, secrets: secrets, identity: identity, agent: agent, vault: vault, machines: machines,
            surroundings: surroundings, memory: try configuration.budget, logger: logger)
        let client = try AgentClient(coordinator: enrolment.coordinator, identity: identity)
        let peer = enrolment.site.peer
        let server = VaultServer(
            repositories: { tenant in try vault.forReading(tenant) },
            mayRead: { caller in caller.site == peer }, identity: identity,
            address: try ServerAddress(hostAndPort: configuration.listen), logger: logger, onListening: onListening)
        let loop = AssignmentLoop(
            link: client, worker: worker, shelf: state.results, room: configuration.workers, program: Self.program,
            surroundings: surroundings, logger: logger)
        // Told to end in the opposite order: the last serves the peer.
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: server), .init(service: loop, successTerminationBehavior: .gracefullyShutdownGroup),
        ]
        if let limit { services.append(.init(service: EndInTime(within: limit, logger: logger))) }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        logger.info("Serving", metadata: ["coordinator": "\(enrolment.coordinator)", "vault": "\(vault.path)"])
        do {
            try await group.run()
        } catch {
            machines.stopAll()
            await client.close()
            throw error
        }
        machines.stopAll()
        await client.close()
        logger.info("Ended")
    }
}
