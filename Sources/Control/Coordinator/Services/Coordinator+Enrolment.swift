import Catalog
import Logging
package import Model
import Orchestration
package import Platform
import Wire

extension Coordinator {
    /// A token that lets one agent enrol, once, for a while. Only its hash is kept.
    package func issueToken(_ order: TokenOrder, by actor: Actor) async throws(Failure) -> IssuedToken {
        try order.check()
        let now = surroundings.now()
        let token = "bwe-" + Hex.encode(surroundings.random(32))
        let expires = now.advanced(seconds: order.minutes * 60)
        let issued = IssuedToken(
            token: token, authority: try authority.fingerprint().hex, site: order.site, agent: order.agent,
            expires: expires)
        try await catalog.write { writing in
            _ = try writing.reading.site(order.site)
            try Self.refuseStranger(order.agent, at: order.site, in: writing.reading)
            try writing.insertToken(hash: Self.hash(token), site: order.site, agent: order.agent, expires: expires)
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: "enrolmentToken.issued", subject: order.agent.text,
                    details: ["site": order.site.text, "minutes": "\(order.minutes)"]))
        }
        return issued
    }

    /// Trades a token for a certificate. An agent that enrols again gets a new one, and its old one counts no more.
    /// - Throws: `.refused` for a token that is unknown, used or expired: which of them is not said.
    package func enrol(_ request: EnrolRequest, from address: String) async throws(Failure) -> EnrolResponse {
        try request.check()
        let now = surroundings.now()
        let authority = authority
        let response = try await catalog.write { writing in
            guard let used = try writing.useToken(hash: Self.hash(request.token), now: now) else {
                throw Failure(
                    .refused, "This enrolment token is not good, or not any more",
                    advice: "Ask an operator for a new one")
            }
            try Self.refuseStranger(used.agent, at: used.site, in: writing.reading)
            let site = try writing.reading.site(used.site)
            let certificate = try authority.issueAgent(
                AgentIdentity(site: used.site, agent: used.agent), signingRequest: request.signingRequest, at: now)
            let fingerprint = try CertificateAuthority.fingerprint(ofPEM: certificate)
            try writing.save(
                EnrolledAgent(
                    id: used.agent, site: used.site, state: .active, fingerprint: fingerprint.hex, keys: request.keys,
                    enrolled: now, lastSeen: nil, version: request.program))
            try writing.journal(
                JournalEvent(
                    when: now, actor: Actor(kind: .agent, name: used.agent.text, address: address),
                    what: "agent.enrolled", subject: used.agent.text,
                    details: ["site": used.site.text, "fingerprint": fingerprint.hex]))
            return EnrolResponse(
                agent: used.agent, site: site, certificate: certificate, authority: try authority.certificatePEM(),
                coordinator: self.agentsAddress)
        }
        // Copies and repositories that waited for this agent's keys can go on.
        bell.ring([.site(response.site.id)])
        logger.info(
            "An agent has enrolled", metadata: ["agent": "\(response.agent)", "site": "\(response.site.id)"])
        return response
    }

    /// PEM; no secret.
    package func authorityCertificate() throws(Failure) -> String { try authority.certificatePEM() }

    /// The agent behind a certificate that TLS has verified.
    /// - Throws: `.refused` unless it is the newest certificate of an agent in service.
    func authenticate(_ caller: AgentIdentity, fingerprint: Digest) async throws(Failure) -> EnrolledAgent {
        let known = try await catalog.read { try $0.findAgent(caller.agent) }
        guard let known, known.state == .active, known.site == caller.site, known.fingerprint == fingerprint.hex else {
            throw Failure(
                .refused, "The certificate of agent \(caller) is not in force here",
                advice: "Enrol the agent again with a new token")
        }
        return known
    }

    /// An agent's id is its own: at another site it would be another agent.
    private static func refuseStranger(_ agent: EnrolledAgent.ID, at site: Site.ID, in reading: Reading) throws {
        guard let known = try reading.findAgent(agent), known.site != site else { return }
        throw Failure(.exists, "An agent \(agent) has enrolled at site \(known.site)", advice: "Choose another id")
    }

    private static func hash(_ token: String) -> Digest { SHA256.hash(Array("breakwater enrolment v1\n\(token)".utf8)) }
}
