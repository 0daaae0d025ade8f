package import Platform

/// The tenant's repository in the vault of the site that does the work. Its directory in the vault is the tenant's id.
package struct RepositoryPlace: Hashable, Sendable, Codable, Checked {
    package var tenant: Tenant.ID
    /// Repository id, 64 hexadecimal digits. The agent refuses a directory with another one.
    package var repository: String
    /// This vault's name in the repository's log, 32 hexadecimal digits.
    package var vaultID: String
    /// The newest head the coordinator knows; a log that ends before it has been rolled back.
    package var head: LogHead?

    package init(tenant: Tenant.ID, repository: String, vaultID: String, head: LogHead?) {
        self.tenant = tenant
        self.repository = repository
        self.vaultID = vaultID
        self.head = head
    }

    package func check() throws(Failure) {
        try Bounds.hexadecimal(repository, "A repository", bytes: 32...32)
        try Bounds.hexadecimal(vaultID, "A vault", bytes: 16...16)
        try head?.check()
    }
}

/// Makes the tenant's repository in the site's vault. Done already when it is there with the same id.
package struct InitialiseRepositoryWork: Hashable, Sendable, Codable {
    package var repository: RepositoryPlace
    /// The root's charter statement, in the repository's own encoding.
    package var charter: Octets
    /// The root's certificate statement for the agent's site key in this vault.
    package var siteCertificate: Octets
    /// A key slot to lie in the vault, so that the repository can be read without the coordinator.
    package var slot: Octets?

    package init(repository: RepositoryPlace, charter: Octets, siteCertificate: Octets, slot: Octets?) {
        self.repository = repository
        self.charter = charter
        self.siteCertificate = siteCertificate
        self.slot = slot
    }
}

/// Backs up a desktop's disk image and folders, one snapshot with a stream each. The snapshot's name is the desktop's id.
package struct BackupWork: Hashable, Sendable, Codable {
    package var repository: RepositoryPlace
    package var desktop: Desktop.ID
    package var diskImage: String?
    package var folders: [String]

    package init(repository: RepositoryPlace, desktop: Desktop.ID, diskImage: String?, folders: [String]) {
        self.repository = repository
        self.desktop = desktop
        self.diskImage = diskImage
        self.folders = folders
    }
}

/// Pulls what the peer's vault has and ours lacks, sealed as it is.
package struct ReplicateWork: Hashable, Sendable, Codable {
    /// Ours, where the copy is committed.
    package var repository: RepositoryPlace
    package var peer: Site.ID
    package var peerAgent: EnrolledAgent.ID
    /// `https://host:port` of the peer's agent.
    package var peerAddress: String
    /// The peer's vault in its own log, and the newest head known of it.
    package var peerVaultID: String
    package var peerHead: LogHead?

    package init(
        repository: RepositoryPlace, peer: Site.ID, peerAgent: EnrolledAgent.ID, peerAddress: String,
        peerVaultID: String, peerHead: LogHead?
    ) {
        self.repository = repository
        self.peer = peer
        self.peerAgent = peerAgent
        self.peerAddress = peerAddress
        self.peerVaultID = peerVaultID
        self.peerHead = peerHead
    }
}

/// Writes a snapshot's disk, or its files or some of them, under a target that did not hold them before.
package struct RestoreWork: Hashable, Sendable, Codable, Checked {
    package enum What: String, Sendable, Codable { case disk, files }

    package var repository: RepositoryPlace
    package var desktop: Desktop.ID
    package var snapshot: String
    package var what: What
    /// Files: only these paths and what is under them; all when empty.
    package var include: [String]
    /// Files: a directory. Disk: the image to write.
    package var target: String

    package init(
        repository: RepositoryPlace, desktop: Desktop.ID, snapshot: String, what: What, include: [String],
        target: String
    ) {
        self.repository = repository
        self.desktop = desktop
        self.snapshot = snapshot
        self.what = what
        self.include = include
        self.target = target
    }

    package func check() throws(Failure) {
        try repository.check()
        try Bounds.hexadecimal(snapshot, "A snapshot", bytes: 4...32)
        try Bounds.list(include.count, "Paths to restore")
        for path in include { try Bounds.text(path, "A path to restore", atMost: Bounds.path) }
        try Bounds.absolutePath(target, "The restore's target")
    }
}

/// Starts a desktop from the site's own copy, at once, and waits until it answers. The machine then keeps running.
package struct RecoverWork: Hashable, Sendable, Codable {
    package var repository: RepositoryPlace
    package var run: RecoveryRun.ID
    package var desktop: Desktop.ID
    package var snapshot: String
    package var machine: MachineProfile
    package var probe: Probe
    package var accelerator: AcceleratorChoice

    package init(
        repository: RepositoryPlace, run: RecoveryRun.ID, desktop: Desktop.ID, snapshot: String,
        machine: MachineProfile, probe: Probe, accelerator: AcceleratorChoice
    ) {
        self.repository = repository
        self.run = run
        self.desktop = desktop
        self.snapshot = snapshot
        self.machine = machine
        self.probe = probe
        self.accelerator = accelerator
    }
}

/// Stops the machine of a recovery run and removes its overlay. Done already when nothing of it is there.
package struct StopMachineWork: Hashable, Sendable, Codable {
    package var run: RecoveryRun.ID
    package var desktop: Desktop.ID

    package init(run: RecoveryRun.ID, desktop: Desktop.ID) {
        self.run = run
        self.desktop = desktop
    }
}

/// Checks the repository in the site's vault; with `readData` every byte of it.
package struct CheckWork: Hashable, Sendable, Codable {
    package var repository: RepositoryPlace
    package var readData: Bool

    package init(repository: RepositoryPlace, readData: Bool) {
        self.repository = repository
        self.readData = readData
    }
}
