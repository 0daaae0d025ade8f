import Hummingbird
import Logging
import Model
import NIOCore
import NIOSSL
import Platform
import Wire

/// Lets pass whoever shows the operators' token (RFC 6750). Hashes are compared, and every byte of them, so that the
/// time it takes tells nothing.
struct BearerCheck: RouterMiddleware {
    private let expected: [UInt8]

    init(token: String) { expected = SHA256.hash(Array(token.utf8)).bytes }

    func handle(
        _ request: Request, context: CallContext, next: (Request, CallContext) async throws -> Response
    ) async throws -> Response {
        guard let header = request.headers[.authorization], isRight(header) else {
            var response = Answers.problem(
                Failure(.refused, "The operator's token is missing or wrong", advice: "Send Authorization: Bearer ..."),
                status: .unauthorized)
            response.headers[.wwwAuthenticate] = "Bearer"
            return response
        }
        return try await next(request, context)
    }

    private func isRight(_ header: String) -> Bool {
        let scheme = "bearer "
        guard header.count <= 600, header.lowercased().hasPrefix(scheme) else { return false }
        let shown = SHA256.hash(Array(header.dropFirst(scheme.count).utf8)).bytes
        return zip(shown, expected).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Lets pass the agents in service, as the one whose certificate TLS has verified on this connection.
struct CertificateCheck: RouterMiddleware {
    let coordinator: Coordinator

    func handle(
        _ request: Request, context: CallContext, next: (Request, CallContext) async throws -> Response
    ) async throws -> Response {
        let identity = try await PeerCertificate.agent(on: context.channel)
        let shown = try await context.channel.eventLoop.submit {
            try context.channel.pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes()
        }.get()
        guard let shown else { throw Failure(.refused, "The caller has shown no certificate") }
        var context = context
        context.agent = try await coordinator.authenticate(identity, fingerprint: SHA256.hash(shown))
        return try await next(request, context)
    }
}
