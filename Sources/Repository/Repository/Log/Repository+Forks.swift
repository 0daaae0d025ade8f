package import ObjectStore
package import Platform
internal import Sealing

/// Looking for other branches of this vault's log in the vaults at hand: in their mirrors of it, or in their own logs where
/// they are copies of this vault; and in what they copied from it, since a mirror is of the branch that was left until the
/// one that went on is as long.
///
/// From the last record that was mirrored back to one that is this log's: where the mirror does not fork, that is the
/// first one read.
extension Repository {
    package func forks() throws(Failure) -> [LogFork] {
        var forks: [LogFork] = []
        for other in alternates {
            let folders = ["origins/\(vault)/log"] + (other.vault == vault ? ["log"] : [])
            var found: [LogFork] = []
            for folder in folders { if let fork = try fork(in: other, folder) { found.append(fork) } }
            if found.isEmpty, let fork = try forkOfCopies(in: other) { found = [fork] }
            forks += found
        }
        return forks
    }

    /// By the last snapshot that was copied from here: the commit of a copy names the record that committed it at the
    /// origin, by number and hash. Older ones may be of branches that were left with the owner's word.
    private func forkOfCopies(in other: Repository) throws(Failure) -> LogFork? {
        let there = try other.log.refresh()
        let state = try log.refresh()
        var copied: [(number: UInt64, snapshot: LogState.Committed)] = []
        var (shared, isLastStrange) = (Set<UInt64>(), false)
        for snapshot in there.snapshots.values.sorted(by: { $0.record < $1.record }) {
            guard case .copied(let origin, let number, let hash) = snapshot.origin, origin == vault,
                number <= state.head, let isHere = try log.holds(hash, at: number)
            else { continue }
            isLastStrange = !isHere
            if isHere { shared.insert(number) } else { copied.append((number, snapshot)) }
        }
        let numbers = copied.map(\.number)
        guard isLastStrange, let first = numbers.min(), let last = numbers.max() else { return nil }
        // Somewhere between the two the branches part.
        let common = shared.filter { $0 < first }.max() ?? 0
        let lost = copied.filter { one in
            let id = one.snapshot.manifest.name.digest
            return state.snapshots[id] == nil && !state.forgotten.contains(id)
        }
        return LogFork(
            vault: store.location, location: other.store.location, isMirrored: false,
            isOfAnotherVault: other.vault != vault, first: first, last: last, records: UInt64(copied.count),
            statements: 0,
            snapshots: lost.map {
                .init(id: $0.snapshot.manifest.name.digest, record: $0.number, isThere: !$0.snapshot.isForgotten)
            },
            isAccepted: state.acceptedHeads.keys.contains { $0 + 1 > common })
    }

    private func fork(in other: Repository, _ folder: String) throws(Failure) -> LogFork? {
        let numbers = try other.store.records(in: folder)
        guard !numbers.isEmpty else { return nil }
        // After the mirror: what was mirrored before it was looked at is in the log by now.
        let state = try log.refresh()
        var branch: [Record] = []
        for number in numbers.reversed() {
            do throws(Failure) {
                let object = try other.store.recordObject(number, folder: folder)
                if try log.holds(object, at: number) { break }
                branch += Record.Halves(object).different.compactMap { Log.record($0, number, state) }.prefix(1)
            } catch {
                guard error.isOfOneObject else { throw error }
            }
        }
        branch.reverse()
        guard let first = branch.first?.number, let end = branch.last?.number else { return nil }
        return LogFork(
            vault: store.location, location: other.store.location, isMirrored: true,
            isOfAnotherVault: other.vault != vault, first: first, last: end, records: UInt64(branch.count),
            statements: UInt64(branch.count { $0.isOfTheRoot }),
            snapshots: try lost(branch, state, other),
            isAccepted: state.acceptedHeads.keys.contains { $0 + 1 >= first })
    }

    /// Snapshots that a branch commits, and that are neither in this vault nor forgotten.
    private func lost(
        _ branch: [Record], _ state: LogState, _ other: Repository
    ) throws(Failure) -> [LogFork.Snapshot] {
        let there = try other.log.refresh()
        var forgotten = state.forgotten
        for case .forget(let snapshots) in branch.map(\.body) { forgotten.formUnion(snapshots) }
        var lost: [LogFork.Snapshot] = []
        for record in branch {
            guard case .commit(let commit) = record.body, let clear = try? ClearPart(commit.clear), !clear.isStage
            else { continue }
            let id = commit.manifest.name.digest
            guard state.snapshots[id] == nil, !forgotten.contains(id) else { continue }
            var snapshot = LogFork.Snapshot(
                id: id, record: record.number, isThere: there.snapshots[id].map { !$0.isForgotten } ?? false)
            if !snapshot.isThere {
                let packs = try packs(of: commit, clear, [(store, state), (other.store, there)])
                (snapshot.packs, snapshot.packsFound) = (packs?.all, packs?.found ?? 0)
            }
            lost.append(snapshot)
        }
        return lost
    }

    /// How many packs a snapshot needs, and how many of them lie in one of some vaults; nil where its sets cannot be read.
    private func packs(
        of commit: RecordBody.Commit, _ clear: ClearPart, _ vaults: [(store: any ObjectStore, state: LogState)]
    ) throws(Failure) -> (all: UInt64, found: UInt64)? {
        let pages = PagesOfAnyVault(own: objects, alternates: alternates)
        let listed = ((try? commit.objects.objects(pages)) ?? []).map(\.name)
        func names(_ kind: ObjectKind, _ digest: Digest, _ state: LogState) -> [ObjectName] {
            listed.filter { $0.kind == kind && $0.digest == digest } + state.names(of: kind, digest)
        }
        var roots: Set<Digest> = []
        for set in clear.sets {
            let read = vaults.lazy.flatMap { vault in
                names(.set, set, vault.state).compactMap { try? ObjectReader(vault.store).read($0) }
            }
            guard let bytes = read.first, let set = try? PackSet(bytes, expecting: set) else { return nil }
            roots.formUnion(set.roots)
        }
        func lies(_ root: Digest, in vault: (store: any ObjectStore, state: LogState)) throws(Failure) -> Bool {
            for name in names(.pack, root, vault.state) where try vault.store.length(of: try name.key()) != nil {
                return true
            }
            return false
        }
        var found: UInt64 = 0
        for root in roots {
            for vault in vaults where try lies(root, in: vault) {
                found += 1
                break
            }
        }
        return (UInt64(roots.count), found)
    }
}

extension Log {
    /// Whether the record of this log at that number has a hash; nil where it cannot be read.
    fileprivate func holds(_ hash: Digest, at number: UInt64) throws(Failure) -> Bool? {
        if let known = self.hash(of: number) { return known == hash }
        return try Self.halves(store, number)?.either.map { Record.hash(ofRecord: $0) == hash }
    }

    /// Whether an object that was mirrored is what this log has at that number.
    fileprivate func holds(_ object: [UInt8], at number: UInt64) throws(Failure) -> Bool {
        let halves = Record.Halves(object).different
        if let known = hash(of: number) {
            return halves.contains { Record.hash(ofRecord: $0) == known } || Record.hash(ofUnverified: object) == known
        }
        // Before the checkpoint from which the log was read, or behind an interruption.
        return try Self.halves(store, number)?.different.contains(where: halves.contains) ?? false
    }
}

extension Record {
    fileprivate var isOfTheRoot: Bool {
        switch body {
        case .statement, .reseal: true
        default: false
        }
    }
}

extension ObjectStore {
    /// The numbers of the records in a folder, ascending, as listed.
    package func records(in folder: String) throws(Failure) -> [UInt64] {
        var numbers: [UInt64] = []
        var after: StoreKey?
        repeat {
            let page = try list(prefix: folder + "/", after: after, limit: 1000)
            numbers += page.compactMap { UInt64($0.key.text.dropFirst(folder.utf8.count + 1)) }
            after = page.last?.key
        } while after != nil
        return numbers
    }
}
