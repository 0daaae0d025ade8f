internal import Platform
internal import Sealing

extension LogState {
    /// Condemned packs that stay although they are condemned: they were moved under a claim that stands.
    func packsKeptByClaims(_ pages: any PageSource) throws(Failure) -> [ObjectName: Digest] {
        var kept: [ObjectName: Digest] = [:]
        let claims = claims.values.filter { $0.scope.snapshot != nil }.sorted { $0.record < $1.record }
        guard let first = claims.first else { return [:] }
        let later = objects.filter {
            $0.key.kind == .pack && $0.value.status == .condemned && $0.value.changed > first.record
        }
        guard !later.isEmpty else { return [:] }
        for claim in claims {
            guard let digest = claim.scope.snapshot, let snapshot = snapshots[digest] else { continue }
            let needed = try needs(of: snapshot, pages)
            for (name, held) in later where held.changed > claim.record && needed.contains(name.digest) {
                kept[name] = digest
            }
        }
        return kept
    }
}

extension LogState {
    /// Whether a condemned object may be deleted now, claims on snapshots apart.
    func mayGo(_ name: ObjectName, _ held: Holding) -> Bool {
        guard [.set, .manifest, .page].contains(name.kind) else { return true }
        // Whoever opens the log begins at the checkpoint that its newest record names.
        guard let mark = checkpoint else { return false }
        return mark.state >= held.changed && mark.record < head
    }

    /// What repacking looks into: live packs in use that no standing snapshot brought, by its commit or by the stages of its
    /// session, in order. While that one stands, everything in them is referred to; how much still is, the reader's key alone
    /// tells. Packs that were repacked before are looked at again when there are others.
    func outlivedPacks(_ needs: Needs) -> [ObjectRef] {
        let owners = Set(snapshots.values.filter { !$0.isForgotten }.map(\.record))
        let sessions = Set(recoveryPoints.map(\.clear.session))
        let moves = Set(moved.values.map(\.record))
        let found = objects.filter { name, held in
            name.kind == .pack && held.status == .live && needs.live.contains(name.digest) && moved[name.digest] == nil
                && !owners.contains(held.since) && !sessions.contains(name.session)
        }
        guard found.contains(where: { !moves.contains($0.value.since) }) else { return [] }
        return found.map { ObjectRef(name: $0.key, length: $0.value.length) }
            .sorted { $0.name.isBefore($1.name) }
    }

    /// As a collector makes it before anything else.
    var forgettingSupersededStages: LogState {
        var state = self
        for stage in supersededStages { state.snapshots[stage]?.isForgotten = true }
        return state
    }

    /// Whether records since the last checkpoint may be judged by a set or a page, for whoever opens the log: then it is
    /// needed, although every snapshot that needed it was forgotten.
    func isJudgedBy(_ name: ObjectName, _ held: Holding) -> Bool {
        guard held.status != .condemned || !mayGo(name, held) else { return false }
        switch name.kind {
        case .page: return true
        case .set: return snapshots.values.contains { $0.clear.sets.contains(name.digest) }
        default: return false
        }
    }

    /// Whether anything needs an object. What nothing needs goes with the next collection.
    /// - Parameter needs: what the vault needs; nil while a set cannot be read: then whatever is held may be needed.
    func isWanted(_ name: ObjectName, _ needs: () throws(Failure) -> Needs?) throws(Failure) -> Bool {
        guard !isDestroyed else { return false }
        if name.kind == .checkpoint { return checkpoint?.object == name }
        guard let held = objects[name] else { return false }
        if isJudgedBy(name, held) { return true }
        guard held.status != .condemned else { return false }
        switch name.kind {
        case .page, .segment: return true
        default: return try needs()?.contains(name.digest) ?? true
        }
    }

    /// Whether a backup may come to lean on a pack, needed or not. Of everything else it leans on nothing that it has not read.
    func mayBeLeantOn(_ name: ObjectName) -> Bool {
        name.kind == .pack && objects[name]?.status == .live && !isDestroyed
    }
}

extension ClearPart {
    /// What a desktop's snapshots are ordered by: signed, and no clock's word.
    package var order: Order { Order(generation: generation, sequence: sequence) }

    package struct Order: Hashable, Comparable, Sendable {
        package var generation: UInt64
        package var sequence: UInt64
        package init(generation: UInt64, sequence: UInt64) {
            self.generation = generation
            self.sequence = sequence
        }
        package static func < (left: Self, right: Self) -> Bool {
            (left.generation, left.sequence) < (right.generation, right.sequence)
        }
    }
}

extension RecordBody.ClaimScope {
    var session: SessionID? { if case .session(let session) = self { session } else { nil } }
    var machine: Digest? { if case .machine(let snapshot) = self { snapshot } else { nil } }
}
