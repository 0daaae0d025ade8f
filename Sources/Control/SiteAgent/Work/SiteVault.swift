package import Model
package import ObjectStore
package import Platform

/// The site's vault: a directory with one repository for each tenant, named by the tenant's id.
///
/// It is opened anew for each job and each request of the peer, so that a vault that was moved away is seen to be gone.
package struct SiteVault: Sendable {
    package let path: String
    private let surroundings: Surroundings

    package init(_ path: String, surroundings: Surroundings) {
        self.path = path
        self.surroundings = surroundings
    }

    /// - Throws: `.notFound` when the tenant has no repository here.
    package func forReading(_ tenant: Tenant.ID) throws(Failure) -> any ObjectStore {
        try DirectoryStore(at: folder(tenant), access: .reading, surroundings: surroundings)
    }

    package func forWriting(_ tenant: Tenant.ID) throws(Failure) -> any ObjectStore {
        try DirectoryStore(at: folder(tenant), access: .writing, surroundings: surroundings)
    }

    /// Makes the directory where it is not there.
    package func make(_ tenant: Tenant.ID) throws(Failure) -> any ObjectStore {
        try DirectoryStore.makeRoot(at: folder(tenant))
        return try forWriting(tenant)
    }

    private func folder(_ tenant: Tenant.ID) -> String { "\(path)/\(tenant)" }
}
