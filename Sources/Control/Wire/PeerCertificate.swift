package import NIOCore
import NIOSSL
package import Platform
import SwiftASN1
import X509

/// The certificate that the other end of a connection has shown, once TLS has verified it.
package enum PeerCertificate {
    /// Which agent is at the other end of `channel`.
    /// - Throws: `.refused` when no certificate was shown or it is not an agent's.
    package static func agent(on channel: any Channel) async throws(Failure) -> AgentIdentity {
        let bytes: [UInt8]
        do {
            // The handler belongs to its event loop, so the certificate is fetched there.
            let shown = try await channel.eventLoop.submit {
                try channel.pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes()
            }.get()
            guard let shown else { throw Failure(.refused, "The caller has shown no certificate") }
            bytes = shown
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.refused, "The caller's certificate cannot be read", cause: error)
        }
        guard let leaf = try? Certificate(derEncoded: bytes), let agent = agent(of: leaf) else {
            throw Failure(.refused, "The caller's certificate is not an agent's")
        }
        return agent
    }

    static func agent(of leaf: Certificate) -> AgentIdentity? {
        guard let names = try? leaf.extensions.subjectAlternativeNames else { return nil }
        var found: [AgentIdentity] = []
        for case .uniformResourceIdentifier(let uri) in names {
            if let identity = AgentIdentity(uri: uri) { found.append(identity) }
        }
        return found.count == 1 ? found[0] : nil
    }
}
