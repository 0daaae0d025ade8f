package import Platform

/// What repacking would find now: of every pack that it looks into, how much is dead and what becomes of it.
///
/// What comes free is an estimate: chunks of one frame are compressed together, and in new packs with other neighbours.
package struct RepackPlan: Sendable, Equatable {
    package enum Fate: Hashable, Sendable {
        /// What is alive of it goes into a new pack, and the rest comes free.
        case moves
        /// More of it is alive than the share below which packs are repacked.
        case mostlyAlive
        /// The store keeps it until then: it is not repacked before.
        case locked(until: Timestamp)
    }

    package struct Pack: Hashable, Sendable {
        package var object: ObjectRef
        /// Its bytes that are there for what no snapshot refers to, about.
        package var dead: UInt64
        package var fate: Fate
    }

    /// Ordered by session and digest; of a great many the first only.
    package internal(set) var packs: [Pack] = []
    /// Packs that were not looked into: a later run's.
    package internal(set) var left: UInt64 = 0
    /// Why nothing would be repacked now: a sentence without a full stop.
    package internal(set) var postponed: String?

    package init() {}

    /// What is dead, about, and in how many packs, of those with a fate of some kind.
    package func dead(where isWanted: (Fate) -> Bool) -> CollectReport.Share {
        var share = CollectReport.Share()
        for pack in packs where pack.dead > 0 && isWanted(pack.fate) { share.add(pack.dead) }
        return share
    }
}
