import Hummingbird
import HummingbirdTLS
import Logging
import Model
import NIOCore
import NIOSSL
import Platform
import ServiceLifecycle
import Wire

/// An authority with the certificates tests need, and servers that answer as a test says.
struct Estate {
    let authority: CertificateAuthority
    let now: Timestamp

    init(_ name: String = "test authority", now: Timestamp = Surroundings.system.now()) throws {
        self.now = now
        authority = try CertificateAuthority.make(name: name, at: now)
    }

    static func identity(_ site: String, _ agent: String) throws -> AgentIdentity {
        AgentIdentity(site: try Site.ID(site), agent: try EnrolledAgent.ID(agent))
    }

    func agent(_ site: String, _ agent: String) throws -> TLSIdentity {
        let (key, request) = try TLSIdentity.makeSigningRequest()
        return try TLSIdentity(
            key: key,
            certificate: try authority.issueAgent(
                try Self.identity(site, agent), signingRequest: request, at: now),
            authority: authority.certificatePEM())
    }

    func server(_ names: [String] = ["127.0.0.1", "localhost"]) throws -> TLSIdentity {
        try authority.issueServer(names: names, at: now)
    }

    typealias Respond = @Sendable (Request, any Channel) async throws -> Response

    /// Runs a server on a free port of 127.0.0.1 for as long as `body` runs, which gets its address.
    static func serving<T: Sendable>(
        _ tls: TLSConfiguration, _ respond: @escaping Respond, _ body: @Sendable @escaping (String) async throws -> T
    ) async throws -> T {
        let (ports, told) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let application = Application(
            responder: ClosureResponder(respond: respond), server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { told.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let group = ServiceGroup(configuration: .init(services: [application], logger: logger))
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
            do {
                let result = try await body("https://127.0.0.1:\(port)")
                await group.triggerGracefulShutdown()
                return result
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
    }

    static func json(_ value: some Encodable, _ status: HTTPResponse.Status = .ok) throws -> Response {
        Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try CanonicalJSON.encode(value))))
    }

    static func failing(_ failure: Failure) throws -> Response {
        try json(Problem(failure), HTTPResponse.Status(code: Problem(failure).status))
    }
}

private struct ClosureResponder: HTTPResponder {
    let respond: Estate.Respond
    func respond(to request: Request, context: ChannelContext) async throws -> Response {
        do { return try await respond(request, context.channel) } catch let failure as Failure {
            return try Estate.failing(failure)
        }
    }
}

private struct ChannelContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// The engine's calls block, so tests make them on a thread as the engine does.
func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        let thread = EngineThread(name: "test") { continuation.resume(with: Result { try body() }) }
        // The continuation is resumed as the thread's last act.
        _ = thread
    }
}

/// What `body` fails with.
func failure(_ body: () async throws -> Void) async -> Failure.Code? {
    do {
        try await body()
        return nil
    } catch let failure as Failure {
        return failure.code
    } catch {
        return nil
    }
}
