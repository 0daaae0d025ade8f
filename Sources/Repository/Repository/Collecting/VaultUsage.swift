package import Platform
package import Sealing

/// What the space of a vault is taken by.
package struct VaultUsage: Sendable, Equatable {
    /// Why something that no snapshot needs is not free yet, or is.
    package enum Reason: Hashable, Sendable {
        case live
        case reclaimable
        case condemned
        case afterCheckpoint
        /// A restore, a mount, a copy, a machine or a tenant holds that snapshot, by that kind of claim.
        case snapshotClaim(snapshot: Digest, kind: String)
        case sessionClaim(ClaimID, session: SessionID)
    }

    package struct Line: Hashable, Sendable {
        package var reason: Reason
        package var share: CollectReport.Share
    }

    /// Live first, then what can go, then what cannot go yet.
    package private(set) var lines: [Line] = []

    package init() {}

    package init(_ plan: CollectPlan, _ state: LogState) {
        var shares: [Reason: CollectReport.Share] = [:]
        for item in plan.items {
            shares[Self.reason(item.fate, state), default: .init()].add(item.object.length)
        }
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
        case .snapshotClaim: 4
        case .sessionClaim: 5
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
