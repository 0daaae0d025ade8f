package import Platform
internal import Sealing

/// What a repair did, or, in a dry run, would do: a value, for people, for JSON, and for tests.
package struct RepairReport: Sendable, Equatable {
    /// What became of one object that a check names.
    package struct Item: Sendable, Hashable {
        package enum Outcome: Sendable, Hashable {
            /// It is whole again; by what means.
            case healed(String)
            /// Nothing needs it, and nothing was done.
            case notNeeded(String)
            /// It is as it was found; why, and what would help.
            case left(String)
        }

        /// Its path in the vault, as the check names it.
        package var object: String
        package var damage: CheckReport.Finding.Damage
        /// Ids of the snapshots that need it, ascending.
        package var snapshots: [Digest]
        package var outcome: Outcome
    }

    /// Nothing was changed.
    package internal(set) var isDryRun = false
    /// Records of the log first, then in the order of the check.
    package internal(set) var items: [Item] = []
    /// Bytes that were taken from other vaults.
    package internal(set) var bytesFetched: UInt64 = 0
    /// Packs that stay damaged, needed or not, and that the log now calls so: no backup leans on them, their content is
    /// stored again.
    package internal(set) var recorded: [ObjectName] = []
    /// Other branches of the log that vaults at hand have mirrored.
    package internal(set) var forks: [LogFork] = []
    /// What is worth knowing besides, in sentences.
    package internal(set) var notes: [String] = []

    package init() {}

    package var healed: [Item] { items.filter { if case .healed = $0.outcome { true } else { false } } }
    package var left: [Item] { items.filter { if case .left = $0.outcome { true } else { false } } }
    /// Nothing that is needed is left damaged.
    package var isWhole: Bool { left.isEmpty }

    mutating func add(_ finding: CheckReport.Finding, _ outcome: Item.Outcome) {
        items.append(
            Item(object: finding.object, damage: finding.damage, snapshots: finding.snapshots, outcome: outcome))
    }
}
