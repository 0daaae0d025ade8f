package import Model

/// Who an agent is, as its certificate says: the site it acts for and its own id.
///
/// The identity stands in the certificate twice: as the URI `breakwater:agent:<site>:<id>`, which servers read, and as
/// a host name under `agents.breakwater.internal`, which clients verify when they call a peer by whatever address.
/// An agent's certificate carries no other name, so that one agent cannot pose as the coordinator or as its peer.
package struct AgentIdentity: Hashable, Sendable, CustomStringConvertible {
    package let site: Site.ID
    package let agent: EnrolledAgent.ID

    package init(site: Site.ID, agent: EnrolledAgent.ID) {
        self.site = site
        self.agent = agent
    }

    /// Reads `breakwater:agent:<site>:<id>`; nil for anything else.
    package init?(uri: String) {
        guard uri.hasPrefix(Self.scheme) else { return nil }
        let parts = uri.dropFirst(Self.scheme.count).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let site = try? Site.ID(String(parts[0])),
            let agent = try? EnrolledAgent.ID(String(parts[1]))
        else { return nil }
        self.init(site: site, agent: agent)
    }

    package var uri: String { "\(Self.scheme)\(site):\(agent)" }

    /// The host name a client verifies when it calls this agent; it is never looked up.
    package var hostName: String { "\(agent).\(site).agents.breakwater.internal" }

    package var description: String { "\(site)/\(agent)" }

    private static let scheme = "breakwater:agent:"
}
