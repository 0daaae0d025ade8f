package import Platform
package import Sealing

/// The last head of each vault's log that somebody saw, kept where the vault's owner cannot reach: by the client, the
/// peer, the coordinator. A log that has gone back behind it was rolled back.
package protocol HeadMemory: Sendable {
    func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead?
    func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure)
    /// The newest head of that vault seen at any place; nil for memories that know no places.
    func newestSeen(_ vault: VaultID) throws(Failure) -> LogHead?
}

extension HeadMemory {
    package func newestSeen(_ vault: VaultID) throws(Failure) -> LogHead? { nil }
}

package struct LogHead: Sendable, Hashable {
    package var number: UInt64
    package var hash: Digest
    /// The heads that the root had accepted in that log: none of them excuses another roll-back.
    package var accepted: Set<Digest>

    package init(number: UInt64, hash: Digest, accepted: Set<Digest> = []) {
        self.number = number
        self.hash = hash
        self.accepted = accepted
    }

    package init(of state: LogState) {
        self.init(number: state.head, hash: state.headHash, accepted: Set(state.acceptedHeads.values))
    }
}

/// Remembers nothing: for a look at a vault that leaves no trace.
package struct NoHeadMemory: HeadMemory {
    package init() {}
    package func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? { nil }
    package func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {}
}
