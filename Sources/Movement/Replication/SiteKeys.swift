package import ObjectStore
package import Platform
package import Sealing

/// The site keys of a site's vaults, kept in the site's own state and never in a vault in the clear.
package protocol SiteKeys: Sendable {
    /// The key kept for the vault of `repository` at `location`, or nil when none is.
    func find(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey?

    /// Makes a key for a new vault of `repository` at `location` and keeps it before it returns: a vault whose key was
    /// lost between the two could be appended to by its owner only.
    func make(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey

    /// The key of a vault that was made elsewhere, by the right of the repository's owner; nil where nobody with that
    /// right is at hand.
    func takeUp(_ vault: any ObjectStore, of repository: RepositoryID) throws(Failure) -> SigningKey?
}

extension SiteKeys {
    package func takeUp(_ vault: any ObjectStore, of repository: RepositoryID) throws(Failure) -> SigningKey? { nil }
}
