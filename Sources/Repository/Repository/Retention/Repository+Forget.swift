internal import ObjectStore
package import Platform
internal import Sealing

extension Repository {
    /// What retention needs to know of the snapshots here, and the names of those that can be opened. Stages are left
    /// out: they are no recovery points.
    ///
    /// - Parameter name: only the snapshots of that desktop.
    /// - Throws: `.refused` without the reader's key: times are sealed.
    package func retentionPoints(named name: String? = nil) throws -> (
        points: [RetentionPoint], names: [Digest: String]
    ) {
        guard let secret = keys.secret, !keys.readers.isEmpty else {
            throw Failure(
                .refused, "the times of the snapshots in \(store.location) are sealed",
                advice: "Give the repository's passphrase.")
        }
        let state = try log.refresh()
        let desktop = name.map { secret.desktop(named: $0) }
        let running = Set(state.claims.values.compactMap(\.scope.machine))
        var points: [RetentionPoint] = []
        var names: [Digest: String] = [:]
        for (digest, committed) in state.snapshots.sorted(by: { $0.value.record < $1.value.record })
        where !committed.isForgotten && !committed.clear.isStage
            && desktop.map({ $0 == committed.clear.desktop }) ?? true
        {
            var opened: Snapshot?
            do throws(Failure) { opened = try snapshot(committed) } catch {
                guard error.code == .damaged || error.code == .notFound else { throw error }
            }
            if let opened { names[digest] = opened.name }
            let isWhole = try opened != nil && !isKnownDamaged(committed, state)
            points.append(
                RetentionPoint(
                    id: digest, desktop: committed.clear.desktop, order: committed.clear.order,
                    record: committed.record, time: opened?.time, isDamaged: !isWhole,
                    isIncomplete: (opened?.part.incomplete ?? 0) > 0, isClaimed: running.contains(digest)))
        }
        return (points, names)
    }

    /// Whether the log calls something damaged that the snapshot needs, and holds no other copy.
    private func isKnownDamaged(_ committed: LogState.Committed, _ state: LogState) throws(Failure) -> Bool {
        guard state.objects.values.contains(where: { $0.status == .damaged }) else { return false }
        return try state.needs(of: committed, log.pages).contains { digest in
            let copies = state.objects.names(of: digest).compactMap { state.objects[$0]?.status }
            return copies.contains(.damaged) && !copies.contains(.live)
        }
    }

    /// Forgets snapshots; what they held is the collector's from here on. A snapshot that a machine runs on is left.
    ///
    /// - Returns: what is forgotten now, and what was left since a machine runs on it.
    /// - Throws: `.refused` without the site's key.
    package func forget(_ snapshots: [Digest]) throws -> (forgotten: [Digest], running: [Digest]) {
        var forgotten: [Digest] = []
        var running: [Digest] = []
        for start in stride(from: 0, to: snapshots.count, by: Collector.mostInRecord) {
            let part = snapshots[start..<min(start + Collector.mostInRecord, snapshots.count)]
            var going: [Digest] = []
            var left: [Digest] = []
            try Collector(self).appendUnlessNothing { state in
                let machines = Set(state.claims.values.compactMap(\.scope.machine))
                left = part.filter(machines.contains)
                going = part.filter { digest in
                    !machines.contains(digest) && state.snapshots[digest].map { !$0.isForgotten } ?? false
                }
                return going.isEmpty ? nil : .forget(going)
            }
            forgotten += going
            running += left
        }
        return (forgotten, running)
    }
}
