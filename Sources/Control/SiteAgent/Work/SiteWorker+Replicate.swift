import Logging
import Model
import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Wire

extension SiteWorker {
    /// Pulls what the peer's vault has and ours lacks, sealed as it is: no key of the repository is here, only our own
    /// site key, which signs what is taken into our log. A copy that was cut off goes on where it stopped.
    func replicate(_ work: ReplicateWork, _ context: WorkContext) throws -> ReplicateResult {
        let start = surroundings.uptime()
        let own = try Self.vaultID(work.repository.vaultID)
        let peer = try PeerStore(
            peer: AgentIdentity(site: work.peer, agent: work.peerAgent), address: work.peerAddress,
            repository: work.repository.tenant, identity: identity, surroundings: surroundings)
        defer { peer.closeBlocking() }
        var told: [VaultID: Model.LogHead] = [:]
        told[own] = work.repository.head
        told[try Self.vaultID(work.peerVaultID)] = work.peerHead
        let heads = state.heads.with(told)
        var options = Replicator.Options()
        options.expected = try Self.id(work.repository)
        options.newVault = own
        let store = try vault.make(work.repository.tenant)
        let report = try Replicator(
            from: peer, to: store, siteKeys: OneSiteKey(key: secrets.site), heads: heads, surroundings: surroundings,
            options: options
        ).run(
            progress: { progress in
                context.tell(
                    JobProgress(
                        stage: .copying, done: progress.bytes, total: progress.bytesInAll, stored: progress.bytes))
            }, isCancelled: { context.stop != nil })
        guard report.destination == own else {
            throw Failure(
                .refused, "\(store.location) holds the repository under another vault's name",
                advice: "It was made by somebody else: look at it before anything is written there")
        }
        let copy = try Repository.open(
            store, .keyless, expecting: options.expected, site: secrets.site, heads: heads, surroundings: surroundings,
            resources: resources)
        let state = copy.log.state
        let held = state.recoveryPoints.map(\.manifest.name.digest)
        return ReplicateResult(
            snapshots: held.suffix(1000).map(\.hex), copiedBytes: report.bytesSent,
            objects: UInt64(report.packs), milliseconds: milliseconds(since: start), head: Self.head(copy),
            warnings: (report.interruption.map { [String($0.description.prefix(1000))] } ?? [])
                + report.damaged.prefix(100).map {
                    "snapshot \($0.snapshot.hex.prefix(12)): \(String($0.problem.description.prefix(1000)))"
                })
    }
}

/// The agent has one key for all the repositories in its vault; it is kept in the agent's state since before the
/// agent enrolled.
private struct OneSiteKey: SiteKeys {
    let key: SigningKey
    func find(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey? { key }
    func make(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey { key }
}
