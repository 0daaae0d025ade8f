internal import Platform
internal import Sealing

extension Checker {
    /// Opens each snapshot and follows every reference in it: each must resolve within the snapshot's own sets, also
    /// those it inherited.
    func checkSnapshots() throws {
        let snapshots = liveSnapshots
        ledger.begin(.snapshots, of: UInt64(snapshots.count))
        guard !snapshots.isEmpty else { return }
        let index = try repository.loadIndex(for: .reading).index
        for committed in snapshots {
            let path = committed.manifest.name.path
            do throws(Failure) {
                let snapshot = try repository.snapshot(committed)
                let reader = try SnapshotReader(repository, snapshot, index: index)
                walk(snapshot, reader)
                note(reader.troubles)
                ledger.change { $0.snapshots += 1 }
            } catch {
                let trouble = try CheckTrouble.of(error)
                if !isExplained(committed) {
                    ledger.add(
                        path, committed.manifest.name, .unopenable, "the snapshot cannot be opened: \(trouble.meaning)",
                        snapshots: [committed.manifest.name.digest])
                }
            }
            ledger.passed(isObject: false)
        }
    }

    /// Whether damage noted already explains that a snapshot does not open.
    private func isExplained(_ committed: LogState.Committed) -> Bool {
        let needed: [(ObjectKind, [Digest])] = [
            (.manifest, [committed.manifest.name.digest]), (.set, committed.clear.sets),
            (.envelope, committed.clear.envelopes.flatMap(state.wraps(of:))),
        ]
        return needed.contains { kind, digests in
            digests.contains { digest in state.names(of: kind, digest).contains { ledger.has($0.path) } }
        }
    }

    /// What reading came upon in this vault's packs; a check without `readData` learns of it here.
    private func note(_ troubles: [PackOpener.Trouble]) {
        for trouble in troubles where trouble.isHere {
            ledger.add(trouble.pack, CheckTrouble(trouble.isMissing ? .missing : .altered, trouble.what))
        }
    }

    private func walk(_ snapshot: Snapshot, _ reader: SnapshotReader) {
        let damaged = Set(ledger.damaged.compactMap(\.name).filter { $0.kind == .pack }.map(\.digest))
        let walk = LossWalk(
            snapshot, reader, damaged: damaged, most: options.lossesPerSnapshot,
            readsTemplates: options.readData)
        walk.run()
        let leftOut = walk.found - UInt64(walk.losses.count)
        ledger.change { report in
            report.losses += walk.losses
            if walk.elsewhere > 0 { report.elsewhere[snapshot.id] = walk.elsewhere }
            if leftOut > 0 { report.lossesLeftOut[snapshot.id] = leftOut }
        }
        // What a damaged pack, set or envelope holds is lost for that reason, which is named.
        guard let example = walk.example, !reader.troubles.contains(where: \.isHere), !isExplained(snapshot.committed)
        else { return }
        ledger.add(
            snapshot.committed.manifest.name.path, snapshot.committed.manifest.name, .unresolved,
            "\(walk.references.counted("reference leads", "references lead")) nowhere; \(example)",
            snapshots: [snapshot.id])
    }
}
