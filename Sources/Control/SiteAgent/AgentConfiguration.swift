package import Model
package import Platform
import Repository
import Wire

/// What an agent is told by its configuration file; everything else it learns when it enrols.
package struct AgentConfiguration: Sendable, Codable, Checked {
    package var site: Site.ID
    /// `https://host:port` of the coordinator's listener for operators, where enrolment is.
    package var coordinator: String
    /// SHA-256 of the authority's certificate in DER, hexadecimal. A token file may carry it instead.
    package var authority: String?
    /// Identity, keys, heads seen, results, machines: all the agent keeps but the vault.
    package var state: String
    /// The directory with one repository for each tenant.
    package var vault: String
    /// `host:port` where the vault is served to the peer site.
    package var listen: String
    package var accelerator: AcceleratorChoice
    /// Assignments carried out at the same time.
    package var workers: Int
    /// Memory that each of them holds to, such as `256MiB`; nil for that.
    package var memory: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case site, coordinator, authority, state, vault, listen, accelerator, workers, memory
    }

    /// What may stand in the file: a name that is written wrong is an error, and no silence.
    package static var names: Set<String> { Set(CodingKeys.allCases.map(\.rawValue)) }

    package init(
        site: Site.ID, coordinator: String, authority: String?, state: String, vault: String, listen: String,
        accelerator: AcceleratorChoice = .auto, workers: Int = 4, memory: String? = nil
    ) {
        self.site = site
        self.coordinator = coordinator
        self.authority = authority
        self.state = state
        self.vault = vault
        self.listen = listen
        self.accelerator = accelerator
        self.workers = workers
        self.memory = memory
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        site = try container.decode(Site.ID.self, forKey: .site)
        coordinator = try container.decode(String.self, forKey: .coordinator)
        authority = try container.decodeIfPresent(String.self, forKey: .authority)
        state = try container.decode(String.self, forKey: .state)
        vault = try container.decode(String.self, forKey: .vault)
        listen = try container.decode(String.self, forKey: .listen)
        accelerator = try container.decodeIfPresent(AcceleratorChoice.self, forKey: .accelerator) ?? .auto
        workers = try container.decodeIfPresent(Int.self, forKey: .workers) ?? 4
        memory = try container.decodeIfPresent(String.self, forKey: .memory)
    }

    var budget: MemoryBudget {
        get throws(Failure) { try memory.map { text throws(Failure) in try MemoryBudget(text) } ?? .standard }
    }

    package func check() throws(Failure) {
        _ = try ServerAddress(coordinator)
        _ = try ServerAddress(hostAndPort: listen)
        try Bounds.absolutePath(state, "The state directory")
        try Bounds.absolutePath(vault, "The vault")
        if let authority { try Bounds.hexadecimal(authority, "The authority's fingerprint", bytes: 32...32) }
        guard (1...32).contains(workers) else {
            throw Failure(.usage, "\(workers) workers cannot be meant", advice: "Take 1 to 32")
        }
        _ = try budget
    }
}
