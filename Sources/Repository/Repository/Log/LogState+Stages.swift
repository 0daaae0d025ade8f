package import Platform
internal import Sealing

/// Stages: commits without streams. While a long backup runs, they make its packs live and its segments known, so that
/// a session after one that was cut off leans on what that one had stored. Nobody restores, copies or counts them.
extension LogState {
    /// What somebody can restore: committed, not forgotten, and no stage; oldest first by the log.
    package var recoveryPoints: [Committed] {
        snapshots.values.filter { !$0.isForgotten && !$0.clear.isStage }.sorted { $0.record < $1.record }
    }

    /// The order of one desktop's snapshots, by what is signed. Where the log forked two have the same place; the one that
    /// was here first is then the later one, as it is for the next backup: what was brought back displaces nothing.
    static func isOlder(_ one: Committed, than other: Committed) -> Bool {
        (one.clear.order, other.record) < (other.clear.order, one.record)
    }

    /// Stages that are not forgotten, oldest first by the log.
    package var stages: [Committed] {
        snapshots.values.filter { !$0.isForgotten && $0.clear.isStage }.sorted { $0.record < $1.record }
    }

    /// Manifests of stages that serve nobody any more: their session, or after them their desktop, has committed a
    /// recovery point, which leans on what it wanted of them; or their author was revoked, and nobody leans on them.
    package var supersededStages: [Digest] {
        let stages = stages
        guard !stages.isEmpty else { return [] }
        var ended: Set<SessionID> = []
        var last: [DesktopID: UInt64] = [:]
        for point in snapshots.values where point.origin == .native && !point.clear.isStage {
            ended.insert(point.clear.session)
            last[point.clear.desktop] = max(last[point.clear.desktop] ?? 0, point.record)
        }
        return stages.filter { stage in
            ended.contains(stage.clear.session) || last[stage.clear.desktop] ?? 0 > stage.record
                || stage.author.map(revoked.contains) ?? false
        }.map(\.manifest.name.digest)
    }

    /// Stages that no session is at any more: the claim of their own is gone, and none came after them that may lean on what
    /// they hold. The next backup of their desktop can lean on them still; who lets go of them, lets go of that.
    package var abandonedStages: [Committed] {
        let stages = stages
        guard !stages.isEmpty else { return [] }
        var sessions: Set<SessionID> = []
        var last: UInt64 = 0
        for claim in claims.values {
            guard let session = claim.scope.session else { continue }
            sessions.insert(session)
            last = max(last, claim.record)
        }
        return stages.filter { $0.record > last && !sessions.contains($0.clear.session) }
    }

    /// What a commit without streams must fulfil besides what every native commit must.
    func judge(stage clear: ClearPart) throws {
        guard charter.features.contains(Charter.stages) else {
            throw RuleBroken("it has no streams, and the repository does not require stages")
        }
        guard clear.previous == nil, clear.generation == 0, clear.sequence == 0 else {
            throw RuleBroken("a stage is in no desktop's order")
        }
    }
}
