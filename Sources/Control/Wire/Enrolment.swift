package import Model
import NIOSSL
package import Platform

/// How an agent becomes one: a one-time token buys a certificate.
///
/// 1. The authority's certificate is fetched from the coordinator without trusting anything, and dropped unless its
///    SHA-256 is the one that came with the token, by another way.
/// 2. The token is sent over a connection that only a holder of that authority's certificate can have answered.
/// 3. The certificate that comes back must be for our own key and name the agent and the site that the answer names.
package enum Enrolment {
    /// GET on the operators' listener, no token needed: the authority's certificate, PEM. It is no secret.
    package static let authorityRoute = "/v1/authority"

    package struct Enrolled: Sendable {
        package var identity: TLSIdentity
        package var response: EnrolResponse
    }

    /// Fetches the authority's certificate and holds it to `fingerprint`.
    /// - Throws: `.refused` for any other certificate.
    package static func authority(of coordinator: String, fingerprint: Digest) async throws(Failure) -> String {
        var blind = TLSConfiguration.makeClientConfiguration()
        blind.minimumTLSVersion = .tlsv12
        blind.certificateVerification = .none
        let exchange = try Exchange(coordinator, tls: blind, connections: 1)
        let answer: Exchange.Answer
        do {
            answer = try await exchange.send(Exchange.Call(.get, authorityRoute, limit: Bounds.certificate))
        } catch {
            await exchange.close()
            throw error
        }
        await exchange.close()
        guard answer.status == 200 else {
            throw Problem.failure(status: answer.status, body: answer.body, from: exchange.location)
        }
        let pem = String(decoding: answer.body, as: UTF8.self)
        guard try CertificateAuthority.fingerprint(ofPEM: pem) == fingerprint else {
            throw Failure(
                .refused, "\(exchange.location) is not the coordinator that the fingerprint names",
                advice:
                    "Nothing was sent to it. Compare the address and the fingerprint with what the operator gave you")
        }
        return pem
    }

    /// Enrols with a key made here, which never leaves this machine.
    /// - Parameters:
    ///   - coordinator: `https://host:port` of the operators' listener.
    ///   - fingerprint: SHA-256 of the authority's certificate in DER.
    /// - Throws: `.refused` for a wrong fingerprint and for a token that is wrong, used or too old.
    package static func enrol(
        coordinator: String, fingerprint: Digest, token: String, keys: AgentKeys, program: String
    ) async throws(Failure) -> Enrolled {
        let authority = try await authority(of: coordinator, fingerprint: fingerprint)
        let (key, signingRequest) = try TLSIdentity.makeSigningRequest()
        let exchange = try Exchange(
            coordinator, tls: try TLSIdentity.clientConfiguration(trustingPEM: authority), connections: 1)
        let response: EnrolResponse
        do {
            response = try await exchange.post(
                AgentRoute.enrol,
                EnrolRequest(token: token, signingRequest: signingRequest, keys: keys, program: program))
        } catch {
            await exchange.close()
            throw error
        }
        await exchange.close()
        try response.check()
        guard try CertificateAuthority.fingerprint(ofPEM: response.authority) == fingerprint else {
            throw Failure(.damaged, "\(exchange.location) named another authority than its own")
        }
        let identity = try TLSIdentity(key: key, certificate: response.certificate, authority: authority)
        guard identity.agent == AgentIdentity(site: response.site.id, agent: response.agent) else {
            throw Failure(.damaged, "\(exchange.location) issued a certificate for somebody else")
        }
        return Enrolled(identity: identity, response: response)
    }
}
