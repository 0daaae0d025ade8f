import Coordinator
import Glibc
import Logging
import Model
import ObjectStore
import Platform
import Sealing
import SiteAgent
import Support
import Wire

/// A site with an agent's state and a vault in a directory of its own, and orders as a coordinator would give them.
final class TestSite: Sendable {
    let directory: TemporaryDirectory
    let state: AgentState
    let secrets: AgentSecrets
    let worker: SiteWorker
    let vault: SiteVault
    let identity: AgentIdentity
    let keys: RepositoryKeys
    let vaultID: String
    let tenant: Tenant.ID

    init(_ site: String, _ estate: TestEstate, _ keys: RepositoryKeys) throws {
        directory = try TemporaryDirectory("site")
        state = try AgentState(directory("state"))
        secrets = try state.keys(.system)
        vault = SiteVault(directory("vault"), surroundings: .system)
        identity = try TestEstate.identity(site)
        worker = SiteWorker(
            state: state, secrets: secrets, identity: try estate.agent(site), agent: identity, vault: vault,
            machines: SiteMachines(accelerator: .tcg, surroundings: .system, logger: quiet), surroundings: .system,
            logger: quiet)
        self.keys = keys
        vaultID = VaultID.random(.system).hex
        tenant = try Tenant.ID("harbour")
    }

    func place(_ head: LogHead? = nil) -> RepositoryPlace {
        RepositoryPlace(tenant: tenant, repository: keys.repository, vaultID: vaultID, head: head)
    }

    /// - Parameter lasting: how long the grant is good, in seconds.
    func assignment(_ work: Work, job: String = "job-1", granted: String? = nil, lasting: Int64 = 600) throws
        -> Assignment
    {
        let job = try Job.ID(job)
        var grant: KeyGrant?
        if let purpose = work.kind.purpose {
            grant = try keys.grant(
                purpose, to: secrets.publicKeys, agent: identity.agent, job: try granted.map { try Job.ID($0) } ?? job,
                expires: Timestamp(nanoseconds: Surroundings.system.now().nanoseconds + lasting * 1_000_000_000))
        }
        return Assignment(job: job, term: 1, leaseSeconds: 30, work: work, grant: grant)
    }

    @discardableResult
    func carryOut(_ assignment: Assignment) throws -> WorkResult {
        try worker.carryOut(assignment, WorkContext(assignment))
    }

    func initialise() throws {
        try carryOut(try assignment(.initialiseRepository(try order()), job: "job-init"))
    }

    func order(certified other: AgentSecrets? = nil) throws -> InitialiseRepositoryWork {
        InitialiseRepositoryWork(
            repository: place(), charter: Octets(keys.charter),
            siteCertificate: Octets(
                try keys.siteCertificate(
                    for: (other ?? secrets).publicKeys, agent: identity.agent, vaultID: vaultID)),
            slot: Octets(try keys.slot(passphrase: Array("test passphrase".utf8), .system)))
    }

    func backUp(_ folders: [String], disk: String? = nil, job: String = "job-1") throws -> BackupResult? {
        let work = BackupWork(repository: place(), desktop: try Desktop.ID("desk"), diskImage: disk, folders: folders)
        guard case .backup(let result) = try carryOut(try assignment(.backup(work), job: job)) else { return nil }
        return result
    }

    func restore(
        _ snapshot: String, _ what: RestoreWork.What = .files, to target: String, job: String = "job-r"
    ) throws -> RestoreResult? {
        let work = RestoreWork(
            repository: place(), desktop: try Desktop.ID("desk"), snapshot: snapshot, what: what, include: [],
            target: target)
        guard case .restore(let result) = try carryOut(try assignment(.restore(work), job: job)) else { return nil }
        return result
    }

    /// A folder of the desktop with two files.
    func folder() throws -> String {
        let path = directory("user")
        try PrivateFile.makeDirectory(path)
        try PrivateFile.write(Array("contract".utf8), to: path + "/合同.txt")
        try PrivateFile.write(
            (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 5) }, to: path + "/ledger.bin")
        return path
    }

    /// A disk image with data, a hole, and data.
    func disk() throws -> String {
        let path = directory("disk.raw")
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 104_729 >> 7) }
        try PrivateFile.write(bytes + [UInt8](repeating: 0, count: 1 << 20) + bytes.reversed(), to: path)
        return path
    }
}
