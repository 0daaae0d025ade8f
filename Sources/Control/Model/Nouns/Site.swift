package import Platform

/// A place with an agent, a vault and machines, declared in a reviewed document (`Sites/*.yaml`).
package struct Site: Hashable, Sendable, Codable, Checked {
    package typealias ID = Label<Site>

    package var id: ID
    package var title: String
    /// What fails together: a copy in the desktop's own domain is no copy.
    package var failureDomain: String
    package var vault: Vault
    /// `https://host:port` under which this site's agent serves its vault to its peer.
    package var address: String
    /// Whose vault this site keeps a copy of, and the other way round.
    package var peer: ID?
    package var accelerator: AcceleratorChoice

    package init(
        id: ID, title: String, failureDomain: String, vault: Vault, address: String, peer: ID?,
        accelerator: AcceleratorChoice
    ) {
        self.id = id
        self.title = title
        self.failureDomain = failureDomain
        self.vault = vault
        self.address = address
        self.peer = peer
        self.accelerator = accelerator
    }

    package func check() throws(Failure) {
        try Bounds.text(title, "A site's title", atMost: Bounds.title)
        try Bounds.text(failureDomain, "A failure domain", atMost: Bounds.title)
        try Bounds.text(address, "A site's address", atMost: 300)
        guard address.hasPrefix("https://") else {
            throw Failure(.usage, "The address of site \(id) is not https", advice: "Write https://host:port")
        }
        guard peer != id else { throw Failure(.usage, "Site \(id) cannot be its own peer") }
        try Bounds.absolutePath(vault.path, "A vault's path")
    }
}

/// Where a site's repositories rest: a directory with one repository for each tenant, named by the tenant's id.
package struct Vault: Hashable, Sendable, Codable {
    package typealias ID = Label<Vault>

    package var id: ID
    package var path: String

    package init(id: ID, path: String) {
        self.id = id
        self.path = path
    }
}

/// What runs a machine. `auto` takes KVM where it is known to work and falls back to emulation.
package enum AcceleratorChoice: String, Sendable, Codable, CaseIterable { case auto, kvm, tcg }
