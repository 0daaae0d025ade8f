package import Platform

/// An agent that has enrolled: what its certificate names, and the public keys it gave.
package struct EnrolledAgent: Hashable, Sendable, Codable {
    package typealias ID = Label<EnrolledAgent>

    package enum State: String, Sendable, Codable { case active, revoked }

    package var id: ID
    package var site: Site.ID
    package var state: State
    /// SHA-256 of the certificate's DER, in hexadecimal: the newest one issued is the only one accepted.
    package var fingerprint: String
    package var keys: AgentKeys
    package var enrolled: Timestamp
    package var lastSeen: Timestamp?
    package var version: String

    package init(
        id: ID, site: Site.ID, state: State, fingerprint: String, keys: AgentKeys, enrolled: Timestamp,
        lastSeen: Timestamp?, version: String
    ) {
        self.id = id
        self.site = site
        self.state = state
        self.fingerprint = fingerprint
        self.keys = keys
        self.enrolled = enrolled
        self.lastSeen = lastSeen
        self.version = version
    }
}

/// The public halves of an agent's own keys, made by it and kept under its state directory. Raw, 32 bytes each.
package struct AgentKeys: Hashable, Sendable, Codable, Checked {
    /// X25519: key grants are sealed to it (HPKE).
    package var agreement: Octets
    /// Ed25519: signs what it writes as a writer.
    package var writer: Octets
    /// Ed25519: signs the records of its site's vault.
    package var site: Octets

    package init(agreement: Octets, writer: Octets, site: Octets) {
        self.agreement = agreement
        self.writer = writer
        self.site = site
    }

    package func check() throws(Failure) {
        try Bounds.key(agreement, "The agreement key")
        try Bounds.key(writer, "The writer key")
        try Bounds.key(site, "The site key")
    }
}
