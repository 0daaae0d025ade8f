internal import Platform
internal import Repository

/// Counts how far a copy is, from all its threads, and tells the caller.
final class CopyMeter: Sendable {
    private let progress: Monitor<CopyProgress>
    private let report: @Sendable (CopyProgress) -> Void

    /// Measures what is to be done. Sets that cannot be read are left out here and dealt with when their turn comes.
    init(
        _ pending: [Digest], _ source: Repository, _ target: Repository,
        report: @escaping @Sendable (CopyProgress) -> Void
    ) {
        let (origin, there) = (source.log.state, target.log.state)
        var seen: Set<Digest> = []
        var bytes: UInt64 = 0
        for digest in pending {
            guard let committed = origin.snapshots[digest],
                let roots = try? origin.roots(of: committed.clear, source.objects)
            else { continue }
            for root in roots where seen.insert(root).inserted && there.names(of: .pack, root).isEmpty {
                bytes += origin.names(of: .pack, root).first.flatMap { origin.objects[$0]?.length } ?? 0
            }
        }
        progress = Monitor(CopyProgress(snapshotsInAll: pending.count, bytesInAll: bytes))
        self.report = report
        report(progress.access { $0 })
    }

    func add(_ bytes: UInt64) {
        report(
            progress.access {
                $0.bytes = min($0.bytes + bytes, max($0.bytesInAll, $0.bytes))
                return $0
            })
    }

    func finishSnapshot() {
        report(
            progress.access {
                $0.snapshots += 1
                return $0
            })
    }
}
