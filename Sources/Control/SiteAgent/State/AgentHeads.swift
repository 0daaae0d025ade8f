package import Model
package import Platform
package import Repository
package import Sealing
import Wire

/// The newest head this agent has seen of each repository's log, kept apart from the vaults: a log that ends before it
/// was rolled back.
package struct AgentHeads: HeadMemory {
    let directory: String

    package init(directory: String) { self.directory = directory }

    package func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> RepositoryHead? {
        guard let bytes = try PrivateFile.read(file(vault)) else { return nil }
        let kept = try CanonicalJSON.decode(Model.LogHead.self, from: bytes, wrong: .damaged)
        return try Self.head(kept)
    }

    package func remember(_ head: RepositoryHead, of vault: VaultID, at location: String) throws(Failure) {
        if let seen = try lastSeen(vault, at: location), seen.number >= head.number,
            seen.accepted.isSuperset(of: head.accepted)
        {
            return
        }
        try PrivateFile.write(try CanonicalJSON.encode(Self.model(head)), to: file(vault))
    }

    /// Knows besides what the coordinator knows of some vaults.
    package func with(_ told: [VaultID: Model.LogHead]) -> any HeadMemory { ToldHeads(own: self, told: told) }

    private func file(_ vault: VaultID) -> String { "\(directory)/\(vault.hex)" }

    fileprivate static func head(_ kept: Model.LogHead) throws(Failure) -> RepositoryHead {
        guard let hash = Digest(hex: kept.hash) else { throw Failure(.damaged, "A log head's hash is not one") }
        return RepositoryHead(
            number: kept.number, hash: hash, accepted: Set((kept.accepted ?? []).compactMap { Digest(hex: $0) }))
    }

    static func model(_ head: RepositoryHead) -> Model.LogHead {
        let accepted = head.accepted.sorted().map(\.hex)
        return Model.LogHead(
            number: head.number, hash: head.hash.hex, accepted: accepted.isEmpty ? nil : accepted)
    }
}

private struct ToldHeads: HeadMemory {
    let own: AgentHeads
    let told: [VaultID: Model.LogHead]

    func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> RepositoryHead? {
        let seen = try own.lastSeen(vault, at: location)
        guard let told = try told[vault].map({ told throws(Failure) in try AgentHeads.head(told) }) else { return seen }
        // The coordinator may not know yet of a head that the owner accepted.
        let isNewer = seen.map { $0.number < told.number && $0.accepted.isSubset(of: told.accepted) } ?? true
        return isNewer ? told : seen
    }

    func remember(_ head: RepositoryHead, of vault: VaultID, at location: String) throws(Failure) {
        try own.remember(head, of: vault, at: location)
    }
}
