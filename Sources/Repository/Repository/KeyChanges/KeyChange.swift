internal import ObjectStore
package import Platform
package import Sealing

/// Changes of a repository's keys by its owner, in one vault and in those named besides it.
///
/// What the root says is signed once and appended in each vault where it is not in effect yet, so that a change that was
/// cut short is simply made again. Slots and site keys lie outside the log: they are put before what needs them is said,
/// and go only after.
package struct KeyChange: Sendable {
    /// Open for writing with everything its owner holds; the first is the one that the keys were taken from.
    package let vaults: [Repository]
    let bundle: KeyBundle
    let surroundings: Surroundings

    /// - Throws: `.refused` when no keys are at hand, or the vaults are not different ones of one repository.
    package init(_ vaults: [Repository], surroundings: Surroundings) throws(Failure) {
        guard let first = vaults.first, let bundle = first.keys.bundle else {
            throw Failure(
                .refused, "changing keys needs all that the owner holds", advice: "Give the repository's passphrase.")
        }
        try Self.requireOneRepository(vaults)
        self.vaults = vaults
        self.bundle = bundle
        self.surroundings = surroundings
    }

    static func requireOneRepository(_ vaults: [Repository]) throws(Failure) {
        for (place, vault) in vaults.enumerated() {
            guard vault.id == vaults[0].id else {
                throw Failure(
                    .refused, "\(vault.store.location) holds another repository", advice: "Nothing was changed.")
            }
            guard !vaults[..<place].contains(where: { $0.vault == vault.vault }) else {
                throw Failure(
                    .refused, "\(vault.store.location) is named twice",
                    advice: "Nothing was changed. Name each vault once.")
            }
        }
    }

    // MARK: - The root's words

    /// - Throws: `.refused` when a vault's site key is not at hand: nothing could be appended there.
    static func requireSites(_ vaults: [Repository]) throws(Failure) {
        for vault in vaults where vault.keys.site == nil {
            throw Failure(
                .refused, "the site key of \(vault.store.location) is not at hand", advice: "Nothing was changed.")
        }
    }

    /// Says it in each vault where it is not in effect.
    func say(_ content: Statement.Content, unless isInEffect: (LogState) -> Bool) throws {
        let statement = try Statement(content, of: bundle.repository, root: bundle.root)
        for vault in vaults { try Self.say(statement, in: vault, unless: isInEffect) }
    }

    static func say(_ statement: Statement, in vault: Repository, unless isInEffect: (LogState) -> Bool) throws {
        guard !isInEffect(try vault.log.refresh()) else { return }
        try vault.appendAsSite { _ in .statement(statement) }
    }

    // MARK: - Writers

    /// Ends what these authors may do: what they append from here on is void, and nobody leans on what they wrote.
    package func revoke(_ authors: [AuthorID]) throws {
        try Self.requireSites(vaults)
        try say(.revoke(authors)) { $0.revoked.isSuperset(of: authors) }
    }
}
