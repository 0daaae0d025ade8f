internal import ObjectStore
package import Platform
package import Sealing

/// The end of a repository: what lies in its vaults can be collected, and never be read again.
///
/// 1. The root's word is appended in each vault; what the site keys are needed for afterwards is kept by the caller.
/// 2. Only when it stands in all of them, every slot is deleted. 3. Each vault is looked at again.
///
/// Cut short in 1, a vault that has not the word yet opens as before; cut short in 2, nothing opens, and what is left
/// of the slots needs no key to be deleted.
package struct Destruction: Sendable {
    /// Vaults in which the word stands; open without keys.
    private let ended: [Repository]
    /// Vaults in which it does not; open with everything the owner holds.
    private let living: [Repository]

    /// - Throws: `.refused` when the vaults are not different ones of one repository, or the word cannot be said in one.
    package init(ended: [Repository], living: [Repository]) throws(Failure) {
        try KeyChange.requireOneRepository(ended + living)
        try KeyChange.requireSites(living)
        guard living.isEmpty || living[0].keys.bundle != nil else {
            throw Failure(.refused, "destroying a repository needs its root key")
        }
        self.ended = ended
        self.living = living
    }

    /// Other repositories whose snapshots lean on templates in these vaults, by their ids, with those templates: they lose
    /// what they lean on. None in a vault in which the word stands: it ended every claim.
    package var tenants: [RepositoryID: Set<Digest>] {
        living.reduce(into: [:]) { $0.merge($1.log.state.tenants) { $0.union($1) } }
    }

    /// What a vault confirmed.
    package struct Confirmation: Sendable {
        package var location: String
        package var record: UInt64
        package var slots: Int
    }

    /// - Parameter keep: keeps a vault's site key, by which what remains is collected; called before anything changes.
    package func run(keep: (Repository, SigningKey) throws -> Void) throws -> [Confirmation] {
        for vault in living { if let site = vault.keys.site { try keep(vault, site) } }
        if let bundle = living.first?.keys.bundle {
            let statement = try Statement(.destroyed, of: bundle.repository, root: bundle.root)
            for vault in living { try KeyChange.say(statement, in: vault) { $0.isDestroyed } }
        }
        var confirmed: [Confirmation] = []
        for vault in living + ended {
            let slots = try vault.destroySlots()
            let state = try vault.log.refresh()
            guard state.isDestroyed else {
                throw Failure(
                    .failed, "\(vault.store.location) does not confirm the destruction", advice: "Run it again.")
            }
            confirmed.append(Confirmation(location: vault.store.location, record: state.head, slots: slots))
        }
        return confirmed
    }
}
