package import Platform
package import Sealing

/// What a copy did.
package struct CopyReport: Sendable {
    package struct Damaged: Sendable {
        /// The manifest's digest.
        package var snapshot: Digest
        package var problem: Failure
    }

    package var repository: RepositoryID
    package var origin: VaultID
    package var destination: VaultID
    /// The destination held no repository before.
    package var isNew = false
    /// Manifests of the snapshots copied now, in the order of the origin's log.
    package var copied: [Digest] = []
    /// Snapshots that were at the destination before.
    package var alreadyThere = 0
    /// Snapshots that were forgotten at the destination, and are never copied there again.
    package var forgotten = 0
    /// Snapshots that cannot be copied as they lie at the origin; everything else was.
    package var damaged: [Damaged] = []
    /// Why not everything of the origin was seen, when its log is interrupted.
    package var interruption: Failure?
    /// Records that are lost at the origin and were read from the mirror at the destination.
    package var recordsLost: [UInt64] = []
    /// Index segments that could not be read at the origin: nothing is lost by it, the packs say the same.
    package var damagedSegments: [Failure] = []
    /// Packs fetched, and packs that an interrupted copy had put before.
    package var packs = 0
    package var packsResumed = 0
    /// Sealed bytes put at the destination.
    package var bytesSent: UInt64 = 0
    /// Sealed bytes of the copied snapshots that the destination held already.
    package var bytesAlreadyThere: UInt64 = 0
    /// Records of the origin's log that were mirrored now.
    package var records: UInt64 = 0

    init(repository: RepositoryID, origin: VaultID, destination: VaultID) {
        self.repository = repository
        self.origin = origin
        self.destination = destination
    }

    /// Set when something was left out: `.partial`, in words for a person. What was copied stands all the same.
    package var shortfall: Failure? {
        guard let first = damaged.first else { return interruption }
        let others = damaged.count > 1 ? " and \(damaged.count - 1) more" : ""
        let unseen = interruption.map { "; besides, \($0.what)" } ?? ""
        return Failure(
            .partial,
            "\(copied.count.counted("snapshot was", "snapshots were")) copied; snapshot "
                + "\(first.snapshot.hex.prefix(12))\(others) could not be: \(first.problem.what)\(unseen)",
            advice: first.problem.code == .notFound && !first.problem.advice.isEmpty
                ? first.problem.advice : "`breakwater repository check` at the origin names every damaged object.")
    }
}

/// How far a copy is.
package struct CopyProgress: Sendable, Equatable {
    package var snapshots = 0
    package var snapshotsInAll = 0
    /// Bytes of packs dealt with, of those that were missing when the copy began.
    package var bytes: UInt64 = 0
    package var bytesInAll: UInt64 = 0
}
