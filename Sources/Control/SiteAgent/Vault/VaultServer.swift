import Hummingbird
import HummingbirdTLS
package import Logging
package import Model
import NIOCore
import NIOPosix
package import ObjectStore
import Platform
import ServiceLifecycle
package import Wire

/// Serves the site's vault to its peer, read-only, over mutual TLS: where the other site's copy is pulled from.
package struct VaultServer: Service {
    private let responder: VaultResponder
    private let identity: TLSIdentity
    private let address: ServerAddress
    private let threads: NIOThreadPool
    private let onListening: @Sendable (Int) async -> Void
    private let logger: Logger

    /// - Parameters:
    ///   - repositories: the store in which a tenant's repository rests here; throws a `Failure`.
    ///   - mayRead: whether an agent of our authority may read this vault.
    ///   - address: where to listen; port 0 takes a free one.
    ///   - onListening: told the port once it listens.
    package init(
        repositories: @escaping @Sendable (Tenant.ID) throws -> any ObjectStore,
        mayRead: @escaping @Sendable (AgentIdentity) -> Bool, identity: TLSIdentity, address: ServerAddress,
        logger: Logger, onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        threads = NIOThreadPool(numberOfThreads: 4)
        responder = VaultResponder(repositories: repositories, mayRead: mayRead, threads: threads, logger: logger)
        self.identity = identity
        self.address = address
        self.onListening = onListening
        self.logger = logger
    }

    package func run() async throws {
        threads.start()
        var quiet = logger
        // Hummingbird tells of every connection that a scanner drops.
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            responder: responder,
            server: try .tls(
                .http1(configuration: .init(idleTimeout: .seconds(120))),
                tlsConfiguration: identity.mutualServerConfiguration()),
            configuration: ApplicationConfiguration(address: .hostname(address.host, port: address.port)),
            onServerRunning: { [onListening, logger, address] channel in
                let port = channel.localAddress?.port ?? address.port
                logger.info("Serving the vault to the peer site", metadata: ["port": "\(port)"])
                await onListening(port)
            }, logger: quiet)
        do {
            try await application.run()
        } catch {
            try? await threads.shutdownGracefully()
            throw error
        }
        try await threads.shutdownGracefully()
    }
}
