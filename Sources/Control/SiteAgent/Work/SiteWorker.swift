package import Logging
package import Model
package import Platform
package import Repository
import Sealing
package import Wire

/// Does the site's work with the engine: each kind in a file of its own.
///
/// All of it is idempotent by job: it looks at what is there before it does anything, so that work that was cut off,
/// or whose report was lost, can be done again.
package final class SiteWorker: WorkRunner {
    let state: AgentState
    let secrets: AgentSecrets
    let identity: TLSIdentity
    let agent: AgentIdentity
    let vault: SiteVault
    let machines: SiteMachines
    let surroundings: Surroundings
    let resources: Resources
    let logger: Logger

    package init(
        state: AgentState, secrets: AgentSecrets, identity: TLSIdentity, agent: AgentIdentity, vault: SiteVault,
        machines: SiteMachines, surroundings: Surroundings, memory: MemoryBudget = .standard, logger: Logger
    ) {
        self.state = state
        self.secrets = secrets
        self.identity = identity
        self.agent = agent
        self.vault = vault
        self.machines = machines
        self.surroundings = surroundings
        resources = Resources(memory: memory, indexes: state.path + "/index", scratch: state.path) {
            logger.warning("\($0)")
        }
        self.logger = logger
    }

    package func carryOut(_ assignment: Assignment, _ context: WorkContext) throws -> WorkResult {
        switch assignment.work {
        case .initialiseRepository(let work): .initialiseRepository(try initialise(work, context))
        case .backup(let work): .backup(try backUp(work, context))
        case .replicate(let work): .replicate(try replicate(work, context))
        case .restore(let work): .restore(try restore(work, context))
        case .recover(let work): .recover(try recover(work, context))
        case .stopMachine(let work): try stopMachine(work)
        case .check(let work): .check(try check(work, context))
        }
    }

    package func stillHolds(_ result: WorkResult, of assignment: Assignment) -> Bool {
        guard case .recover(let work) = assignment.work else { return true }
        return machines.isRunning(work.run)
    }

    // MARK: - What several kinds need

    /// The grant that came with the assignment, opened.
    func keys(_ context: WorkContext, _ place: RepositoryPlace) throws(Failure) -> GrantedKeys {
        guard let grant = context.assignment.grant else {
            throw Failure(.refused, "Job \(context.assignment.job) came without the keys it needs")
        }
        return try secrets.open(
            grant, for: context.assignment, agent: agent.agent, repository: place.repository, now: surroundings.now())
    }

    func writerKeys(_ granted: GrantedKeys, _ place: RepositoryPlace) throws(Failure) -> Keys {
        let certificate = try Self.statement(granted.certificate, "a writer's certificate")
        return Keys(
            writerSecret: granted.writerSecret.bytes, repository: try Self.id(place),
            author: Keys.Author(key: secrets.writer, certificate: certificate), site: secrets.site)
    }

    func readerKeys(_ granted: GrantedKeys, _ place: RepositoryPlace) throws(Failure) -> Keys {
        var readers: [ReaderKey] = []
        for reader in granted.readers {
            guard let secret = reader.secret else { continue }
            readers.append(try ReaderKey(generation: reader.generation, secret: secret.bytes))
        }
        return Keys(
            writerSecret: granted.writerSecret.bytes, repository: try Self.id(place), readers: readers,
            site: secrets.site)
    }

    /// What this site last saw of the log, or what the coordinator did, whichever is newer.
    func heads(_ place: RepositoryPlace) throws(Failure) -> any HeadMemory {
        var told: [VaultID: Model.LogHead] = [:]
        told[try Self.vaultID(place.vaultID)] = place.head
        return state.heads.with(told)
    }

    static func id(_ place: RepositoryPlace) throws(Failure) -> RepositoryID {
        guard let digest = Digest(hex: place.repository) else { throw Failure(.usage, "A repository's id is not one") }
        return RepositoryID(digest: digest)
    }

    static func vaultID(_ text: String) throws(Failure) -> VaultID {
        guard let vault = VaultID(hex: text) else { throw Failure(.usage, "A vault's name is not one") }
        return vault
    }

    static func statement(_ octets: Octets, _ what: String) throws(Failure) -> Statement {
        var decoder = CanonicalDecoder(octets.bytes, what)
        let statement = try Statement(from: &decoder)
        try decoder.finish()
        return statement
    }

    static func head(_ repository: Repository) -> Model.LogHead {
        AgentHeads.model(RepositoryHead(of: repository.log.state))
    }

    func milliseconds(since start: UInt64) -> UInt64 { (surroundings.uptime() - start) / 1_000_000 }
}
