import Catalog
import Model
import NIOPosix
import Orchestration
import Platform

extension Coordinator {
    /// What an agent is handed: the work as it was ordered, with what is known now, and the keys it needs.
    ///
    /// Grants are made at every delivery and kept nowhere.
    func assignment(for job: Job, to agent: EnrolledAgent) async throws(Failure) -> Assignment {
        let work = try await brought(upToDate: job, for: agent)
        var grant: KeyGrant?
        if let purpose = job.kind.purpose {
            let keys = try await keys(of: job.tenant)
            // Longer than the lease, which heartbeats extend; a new delivery brings a new grant.
            let expires = surroundings.now().advanced(seconds: 24 * 3600)
            grant = try keys.grant(purpose, to: agent.keys, agent: agent.id, job: job.id, expires: expires)
        }
        return Assignment(
            job: job.id, term: job.term, leaseSeconds: settings.leaseSeconds, work: work, grant: grant)
    }

    /// The tenant's repository keys, for as long as the caller holds them.
    func keys(of tenant: Tenant.ID) async throws(Failure) -> RepositoryKeys {
        let wrapped = try await catalog.read { try $0.wrappedKeys(of: tenant) }
        return try RepositoryKeys(keyring.unwrap(wrapped, of: tenant))
    }

    /// Heads, addresses and certificates may be newer than the order.
    private func brought(upToDate job: Job, for agent: EnrolledAgent) async throws(Failure) -> Work {
        switch job.work {
        case .initialiseRepository(var details):
            let keys = try await keys(of: job.tenant)
            details.charter = Octets(keys.charter)
            details.siteCertificate = Octets(
                try keys.siteCertificate(for: agent.keys, agent: agent.id, vaultID: details.repository.vaultID))
            details.slot = try await escrowSlot(keys).map { Octets($0) }
            return .initialiseRepository(details)
        case .backup(var details):
            details.repository = try await place(of: job.tenant, at: job.site)
            return .backup(details)
        case .replicate(var details):
            details.repository = try await place(of: job.tenant, at: job.site)
            let (site, tenant) = (details.peer, job.tenant)
            let (peer, vault, source) = try await catalog.read { reading in
                (try reading.site(site), try reading.tenantVault(tenant, at: site), try reading.agent(at: site))
            }
            details.peerAgent = source.id
            details.peerAddress = peer.address
            details.peerVaultID = vault.vaultID
            details.peerHead = vault.head
            return .replicate(details)
        case .restore(var details):
            details.repository = try await place(of: job.tenant, at: job.site)
            return .restore(details)
        case .recover(var details):
            details.repository = try await place(of: job.tenant, at: job.site)
            return .recover(details)
        case .check(var details):
            details.repository = try await place(of: job.tenant, at: job.site)
            return .check(details)
        case .stopMachine: return job.work
        }
    }

    private func place(of tenant: Tenant.ID, at site: Site.ID) async throws(Failure) -> RepositoryPlace {
        try await catalog.read { try $0.place(of: tenant, at: site) }
    }

    /// scrypt is slow on purpose, so it is kept off the cooperative pool.
    private func escrowSlot(_ keys: RepositoryKeys) async throws(Failure) -> [UInt8]? {
        guard let passphrase = settings.escrowPassphrase else { return nil }
        let surroundings = surroundings
        do {
            return try await NIOThreadPool.singleton.runIfActive {
                try keys.slot(passphrase: passphrase, surroundings)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.failed, "A key slot could not be made", cause: error)
        }
    }
}

extension Reading {
    func place(of tenant: Tenant.ID, at site: Site.ID) throws -> RepositoryPlace {
        let vault = try tenantVault(tenant, at: site)
        return RepositoryPlace(
            tenant: tenant, repository: try self.tenant(tenant).repository, vaultID: vault.vaultID, head: vault.head)
    }
}
