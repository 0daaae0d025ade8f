package import Platform

/// A customer, with a repository and keys of their own in each vault.
package struct Tenant: Hashable, Sendable, Codable, Checked {
    package typealias ID = Label<Tenant>

    package var id: ID
    package var title: String
    /// The repository id, 64 hexadecimal digits; it follows from the root key, which the keyring holds.
    package var repository: String
    package var created: Timestamp

    package init(id: ID, title: String, repository: String, created: Timestamp) {
        self.id = id
        self.title = title
        self.repository = repository
        self.created = created
    }

    package func check() throws(Failure) {
        try Bounds.text(title, "A tenant's title", atMost: Bounds.title)
        try Bounds.hexadecimal(repository, "A repository", bytes: 32...32)
    }
}

/// A tenant's repository in one vault, as far as the coordinator has heard.
package struct TenantVault: Hashable, Sendable, Codable {
    package enum State: String, Sendable, Codable {
        /// Asked for, not yet reported. -> ready
        case declared
        /// It has a genesis record.
        case ready
    }

    package var tenant: Tenant.ID
    package var site: Site.ID
    package var vault: Vault.ID
    /// 32 hexadecimal digits, made once: the vault's name inside this repository's log.
    package var vaultID: String
    package var state: State
    /// The newest head an agent has reported. An older one is a roll-back.
    package var head: LogHead?

    package init(
        tenant: Tenant.ID, site: Site.ID, vault: Vault.ID, vaultID: String, state: State, head: LogHead? = nil
    ) {
        self.tenant = tenant
        self.site = site
        self.vault = vault
        self.vaultID = vaultID
        self.state = state
        self.head = head
    }
}

/// The last record of a repository's log in one vault.
package struct LogHead: Hashable, Sendable, Codable, Checked {
    package var number: UInt64
    /// 64 hexadecimal digits.
    package var hash: String
    /// Hashes of the heads that the repository's owner had accepted in that log; nil for none.
    package var accepted: [String]?

    package init(number: UInt64, hash: String, accepted: [String]? = nil) {
        self.number = number
        self.hash = hash
        self.accepted = accepted
    }

    /// Whether the owner accepted a head here that was not accepted in `other`: then this one counts, whatever the numbers.
    package func acceptsMore(than other: LogHead) -> Bool {
        !Set(accepted ?? []).isSubset(of: other.accepted ?? [])
    }

    package func check() throws(Failure) {
        try Bounds.hexadecimal(hash, "A log head", bytes: 32...32)
        guard (accepted?.count ?? 0) <= 1000 else { throw Failure(.usage, "A log head has too many accepted heads") }
        for head in accepted ?? [] { try Bounds.hexadecimal(head, "An accepted head", bytes: 32...32) }
    }
}
