package import Platform
package import Sealing

/// What the space of a vault is taken by.
package struct VaultUsage: Sendable {
    /// Why something that no snapshot needs is not free yet, or is.
    package enum Reason: Hashable, Sendable {
        case live
        case reclaimable
        case condemned
        case afterCheckpoint
        /// An unfinished backup stored it, and nobody is at that any more: a collector lets go of it like of a claim.
        case unfinished
        /// A restore, a mount, a copy, a machine or a tenant holds that snapshot, by that kind of claim.
        case snapshotClaim(snapshot: Digest, kind: String)
        case sessionClaim(ClaimID, session: SessionID)
        /// Nothing needs it, and the store lets nobody delete it: all of it, until then.
        case locked(until: Timestamp)
    }

    package struct Line: Hashable, Sendable {
        package var reason: Reason
        package var share: CollectReport.Share
    }

    /// Live first, then what can go, then what cannot go yet.
    package private(set) var lines: [Line] = []
    /// What the store lets nobody delete now, whatever else is the reason for it to be there, and when the last of it can be
    /// deleted: of the objects of which it was asked.
    package private(set) var locked: (share: CollectReport.Share, until: Timestamp)?

    /// Of what is live and not locked: packs that outlived the snapshot which brought them. What in them is dead comes free
    /// by repacking, at most so much; how much it is, the reader's key alone tells.
    package private(set) var outlived = CollectReport.Share()

    package init() {}

    /// - Parameter locks: from when on objects can be deleted, for those that cannot be now.
    package init(_ plan: CollectPlan, _ state: LogState, locks: [ObjectName: Timestamp] = [:]) {
        var shares: [Reason: CollectReport.Share] = [:]
        var held: (share: CollectReport.Share, until: Timestamp)?
        for item in plan.items {
            let reason = Self.reason(item.fate, state)
            guard let until = locks[item.object.name] else {
                shares[reason, default: .init()].add(item.object.length)
                continue
            }
            locked = (locked?.share ?? .init(), max(locked?.until ?? until, until))
            locked?.share.add(item.object.length)
            if reason == .reclaimable || reason == .condemned {
                held = (held?.share ?? .init(), max(held?.until ?? until, until))
                held?.share.add(item.object.length)
            } else {
                shares[reason, default: .init()].add(item.object.length)
            }
        }
        for pack in plan.outlived where locks[pack.name] == nil { outlived.add(pack.length) }
        if let held { shares[.locked(until: held.until)] = held.share }
        lines = shares.map { Line(reason: $0.key, share: $0.value) }.sorted {
            ($0.reason.rank, $0.reason.mark) < ($1.reason.rank, $1.reason.mark)
        }
    }

    private static func reason(_ fate: CollectPlan.Fate, _ state: LogState) -> Reason {
        switch fate {
        case .live: return .live
        case .reclaimable: return .reclaimable
        case .condemned: return .condemned
        case .afterCheckpoint: return .afterCheckpoint
        case .unfinished: return .unfinished
        case .claimed(let snapshot):
            let kinds = state.claims.values.filter { $0.scope.snapshot == snapshot }.map(\.scope.kind)
            return .snapshotClaim(snapshot: snapshot, kind: kinds.max() ?? "read")
        case .session(let claim):
            return .sessionClaim(claim, session: state.claims[claim]?.scope.session ?? .none)
        }
    }

    /// Of one kind of reason, whatever the claim.
    package func share(where isWanted: (Reason) -> Bool) -> CollectReport.Share {
        var sum = CollectReport.Share()
        for line in lines where isWanted(line.reason) {
            sum.objects += line.share.objects
            sum.bytes += line.share.bytes
        }
        return sum
    }

    package var live: CollectReport.Share { share { $0 == .live } }
    /// What a collector frees when it runs next.
    package var reclaimable: CollectReport.Share { share { $0 == .reclaimable || $0 == .condemned } }
    /// What it frees later: see the lines for the reasons.
    package var notYet: CollectReport.Share { share { $0.rank > 2 } }
}

extension VaultUsage.Reason {
    var rank: Int {
        switch self {
        case .live: 0
        case .reclaimable: 1
        case .condemned: 2
        case .afterCheckpoint: 3
        case .unfinished: 4
        case .snapshotClaim: 5
        case .sessionClaim: 6
        case .locked: 7
        }
    }

    fileprivate var mark: String {
        switch self {
        case .snapshotClaim(let snapshot, let kind): snapshot.hex + kind
        case .sessionClaim(let claim, _): claim.hex
        default: ""
        }
    }
}

extension RecordBody.ClaimScope {
    /// What a person calls it.
    package var kind: String {
        switch self {
        case .session: "session"
        case .read: "read"
        case .machine: "machine"
        case .lean: "lean"
        }
    }
}
