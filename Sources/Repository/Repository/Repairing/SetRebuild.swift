internal import Platform
internal import Sealing

/// Makes a set anew that no vault has whole, from what its snapshots refer to. A set is a function of the packs that its
/// snapshot leans on, and its name is a hash: what was made anew is the lost one, or is not taken.
///
/// 1. A snapshot that names the set is read without it (`SnapshotReader`), and each of its references followed to its
/// pack. 2. The packs of its own session are added, referred to or not. 3. Where packs were moved since, those stand for
/// what they were made of. 4. The roots are cut into pages, one of which has the name.
///
/// It needs the reader's key. A writer that read a file twice may have leant on a pack to which nothing refers in the end:
/// then this finds nothing.
struct SetRebuild {
    private let repository: Repository

    init(_ repository: Repository) { self.repository = repository }

    /// - Throws: that a store does not answer; nothing on account of damage.
    func bytes(of set: Digest) throws(Failure) -> [UInt8]? {
        guard repository.keys.secret != nil, !repository.keys.readers.isEmpty else { return nil }
        let state = repository.log.state
        let naming = state.snapshots.values.filter { $0.clear.sets.contains(set) && !$0.clear.isStage }
        for committed in naming.sorted(by: { $0.record < $1.record }) {
            do {
                let roots = try roots(of: committed, state)
                if let page = PackSet.pages(of: roots).first(where: { SHA256.hash($0.bytes) == set }) {
                    return page.bytes
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

    private func roots(of committed: LogState.Committed, _ state: LogState) throws -> Set<Digest> {
        let snapshot = try repository.snapshot(committed)
        let reader = try SnapshotReader(repository, snapshot)
        var roots: Set<Digest> = []
        var walk = ReferenceWalk(isCancelled: { false }) { id, reader in
            if let root = try reader.pack(of: id) { roots.insert(root) }
        }
        try walk.walk(snapshot, reader)
        for name in state.objects.keys where name.kind == .pack && name.session == committed.clear.session {
            roots.insert(name.digest)
        }
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
