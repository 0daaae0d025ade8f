package import Platform

/// Keys of a tenant's repository for one piece of work, sealed by HPKE (RFC 9180: X25519, HKDF-SHA-256, AES-256-GCM,
/// base mode) to the agent's agreement key. The plaintext is `GrantedKeys` as JSON; it is never written down.
package struct KeyGrant: Hashable, Sendable, Codable, CustomStringConvertible {
    package enum Purpose: String, Sendable, Codable {
        /// Writer secret, the writer's certificate and the reader's public key.
        case write
        /// The private reader keys besides.
        case read
    }

    package var purpose: Purpose
    package var repository: String
    package var job: Job.ID
    package var agent: EnrolledAgent.ID
    /// The agent refuses the grant from here on.
    package var expires: Timestamp
    package var encapsulated: Octets
    package var ciphertext: Octets

    package init(
        purpose: Purpose, repository: String, job: Job.ID, agent: EnrolledAgent.ID, expires: Timestamp,
        encapsulated: Octets, ciphertext: Octets
    ) {
        self.purpose = purpose
        self.repository = repository
        self.job = job
        self.agent = agent
        self.expires = expires
        self.encapsulated = encapsulated
        self.ciphertext = ciphertext
    }

    /// The `info` of HPKE: a grant moved to another job, agent, purpose or time does not open.
    package static func info(
        purpose: Purpose, repository: String, job: Job.ID, agent: EnrolledAgent.ID, expires: Timestamp
    ) -> [UInt8] {
        Array(
            "breakwater key grant v1\n\(purpose.rawValue)\n\(repository)\n\(job)\n\(agent)\n\(expires.nanoseconds)".utf8
        )
    }

    package var info: [UInt8] {
        Self.info(purpose: purpose, repository: repository, job: job, agent: agent, expires: expires)
    }

    package var description: String { "key grant to \(purpose.rawValue) \(repository.prefix(8)) for \(job)" }
}

/// What a grant holds once opened. In memory only; its description tells nothing.
package struct GrantedKeys: Sendable, Codable, CustomStringConvertible {
    package struct Reader: Sendable, Codable {
        package var generation: UInt32
        /// X25519. The secret half is there for reading only.
        package var publicKey: Octets
        package var secret: Octets?
        package init(generation: UInt32, publicKey: Octets, secret: Octets?) {
            self.generation = generation
            self.publicKey = publicKey
            self.secret = secret
        }
    }

    /// The root's charter statement, in the repository's encoding.
    package var charter: Octets
    package var writerSecret: Octets
    /// The author id (32 hexadecimal digits) and the root's certificate statement for the agent's own writer key.
    package var author: String
    package var certificate: Octets
    /// Oldest generation first.
    package var readers: [Reader]

    package init(charter: Octets, writerSecret: Octets, author: String, certificate: Octets, readers: [Reader]) {
        self.charter = charter
        self.writerSecret = writerSecret
        self.author = author
        self.certificate = certificate
        self.readers = readers
    }

    package var description: String { "granted keys" }
}
