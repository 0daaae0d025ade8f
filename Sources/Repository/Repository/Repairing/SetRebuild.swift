internal import Platform
internal import Sealing

/// Makes a set anew that no vault has whole, from the log or from what its snapshots refer to. A set is a function of the packs
/// that its snapshot leans on, and its name is a hash: what was made anew is the lost one, or is not taken.
///
/// 1. The packs of the snapshot's own session may be all, or those that came with its commit, as for a stage: these the log
/// names, and no key is needed. 2. Otherwise a snapshot that names the set is read without it (`SnapshotReader`), and each
/// of its references followed to its pack; the packs of its session are added, referred to or not. 3. Where packs were moved
/// since, those stand for what they were made of. 4. The roots are cut into pages, one of which has the name.
///
/// From 2 on it needs the reader's key. A writer that read a file twice may have leant on a pack to which nothing refers in
/// the end: then this finds nothing.
struct SetRebuild {
    let repository: Repository
    let isCancelled: @Sendable () -> Bool

    /// The set's bytes, and from what they were made.
    /// - Throws: that a store does not answer, or that it was asked to stop; nothing on account of damage.
    func bytes(of set: Digest) throws(Failure) -> (bytes: [UInt8], from: String)? {
        if let found = fromLog(set) { return (found, "the log") }
        guard repository.keys.secret != nil, !repository.keys.readers.isEmpty else { return nil }
        let state = repository.log.state
        for committed in naming(set) where !committed.clear.isStage {
            do {
                if let found = Self.page(set, of: try roots(of: committed, state)) {
                    return (found, "what its snapshots refer to")
                }
            } catch let failure as Failure where !failure.isOfOneObject {
                throw failure
            } catch {
                // What cannot be followed tells nothing of the set; another snapshot may.
                continue
            }
        }
        return nil
    }

    /// The set's bytes where the log suffices: step 1 alone, which needs no key and reads nothing.
    func fromLog(_ set: Digest) -> [UInt8]? {
        let state = repository.log.state
        for committed in naming(set) {
            if let found = Self.page(set, of: own(committed, state)) ?? Self.page(set, of: brought(committed, state)) {
                return found
            }
        }
        return nil
    }

    private func naming(_ set: Digest) -> [LogState.Committed] {
        repository.log.state.snapshots.values.filter { $0.clear.sets.contains(set) }.sorted { $0.record < $1.record }
    }

    private static func page(_ set: Digest, of roots: Set<Digest>) -> [UInt8]? {
        PackSet.pages(of: roots).map(\.bytes).first { SHA256.hash($0) == set }
    }

    /// Packs that the log holds under the snapshot's session, whatever became of them.
    private func own(_ committed: LogState.Committed, _ state: LogState) -> Set<Digest> {
        let packs = state.objects.keys.filter { $0.kind == .pack && $0.session == committed.clear.session }
        return Set(packs.map(\.digest))
    }

    /// Packs of them that came with its commit: a stage names these alone.
    private func brought(_ committed: LogState.Committed, _ state: LogState) -> Set<Digest> {
        own(committed, state).filter { root in
            state.names(of: .pack, root).contains { state.objects[$0]?.since == committed.record }
        }
    }

    private func roots(of committed: LogState.Committed, _ state: LogState) throws -> Set<Digest> {
        let snapshot = try repository.snapshot(committed)
        let reader = try SnapshotReader(repository, snapshot)
        var roots: Set<Digest> = []
        var walk = try ReferenceWalk(repository, isCancelled: isCancelled) { id, reader in
            if let root = try reader.pack(of: id) { roots.insert(root) }
        }
        try walk.walk(snapshot, reader)
        roots.formUnion(own(committed, state))
        for (root, moved) in state.moved where moved.record > committed.record {
            let targets = Set(moved.objects.map(\.name.digest))
            guard !roots.isDisjoint(with: targets) else { continue }
            roots.insert(root)
        }
        for moved in state.moved.values where moved.record > committed.record {
            roots.subtract(moved.objects.map(\.name.digest))
        }
        return roots
    }
}
