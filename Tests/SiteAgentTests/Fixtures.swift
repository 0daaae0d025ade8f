import Logging
import Model
import ObjectStore
import Platform
import ServiceLifecycle
import SiteAgent
import Support
import Wire

/// An authority and agents of two sites.
struct TestEstate {
    let authority: CertificateAuthority
    let now = Surroundings.system.now()

    init() throws { authority = try CertificateAuthority.make(name: "test", at: now) }

    static func identity(_ site: String, _ agent: String = "agent-1") throws -> AgentIdentity {
        AgentIdentity(site: try Site.ID(site), agent: try EnrolledAgent.ID(agent))
    }

    func agent(_ site: String, _ agent: String = "agent-1") throws -> TLSIdentity {
        let (key, request) = try TLSIdentity.makeSigningRequest()
        return try TLSIdentity(
            key: key,
            certificate: authority.issueAgent(Self.identity(site, agent), signingRequest: request, at: now),
            authority: authority.certificatePEM())
    }
}

var quiet: Logger {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}

/// Serves the vault at hk-alc to cn-shbao while `body` runs.
func servingVault<T: Sendable>(
    _ estate: TestEstate, _ repositories: @escaping @Sendable (Tenant.ID) throws -> any ObjectStore,
    _ body: @escaping @Sendable (String) async throws -> T
) async throws -> T {
    let (ports, told) = AsyncStream.makeStream(of: Int.self)
    let server = VaultServer(
        repositories: repositories, mayRead: { $0.site.text == "cn-shbao" }, identity: try estate.agent("hk-alc"),
        address: try ServerAddress(hostAndPort: "127.0.0.1:0"), logger: quiet, onListening: { told.yield($0) })
    let group = ServiceGroup(configuration: .init(services: [server], logger: quiet))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            try await group.run()
            told.finish()
        }
        var port = 0
        for await one in ports {
            port = one
            break
        }
        let result: Result<T, any Error>
        do { result = .success(try await body("https://127.0.0.1:\(port)")) } catch { result = .failure(error) }
        await group.triggerGracefulShutdown()
        return try result.get()
    }
}

func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        _ = EngineThread(name: "test") { continuation.resume(with: Result { try body() }) }
    }
}

func failure(_ body: () async throws -> Void) async -> Failure.Code? {
    do {
        try await body()
        return nil
    } catch { return (error as? Failure)?.code }
}
