package import Platform

/// A moment a desktop can be brought back to; it has a copy in each vault that holds its snapshot.
package struct RecoveryPoint: Hashable, Sendable, Codable {
    package typealias ID = Label<RecoveryPoint>

    package struct Copy: Hashable, Sendable, Codable {
        package var site: Site.ID
        package var vault: Vault.ID
        /// When the copy was committed there, as its agent reported.
        package var arrived: Timestamp
        package init(site: Site.ID, vault: Vault.ID, arrived: Timestamp) {
            self.site = site
            self.vault = vault
            self.arrived = arrived
        }
    }

    package var id: ID
    package var tenant: Tenant.ID
    package var desktop: Desktop.ID
    /// The snapshot's id in the tenant's repository, the same in every vault.
    package var snapshot: String
    /// When the backup began to read: what is newer is lost by going back here.
    package var taken: Timestamp
    package var hasDisk: Bool
    package var hasFiles: Bool
    package var bytes: UInt64
    package var storedBytes: UInt64
    package var files: UInt64
    package var copies: [Copy]

    package init(
        id: ID, tenant: Tenant.ID, desktop: Desktop.ID, snapshot: String, taken: Timestamp, hasDisk: Bool,
        hasFiles: Bool, bytes: UInt64, storedBytes: UInt64, files: UInt64, copies: [Copy]
    ) {
        self.id = id
        self.tenant = tenant
        self.desktop = desktop
        self.snapshot = snapshot
        self.taken = taken
        self.hasDisk = hasDisk
        self.hasFiles = hasFiles
        self.bytes = bytes
        self.storedBytes = storedBytes
        self.files = files
        self.copies = copies
    }
}
