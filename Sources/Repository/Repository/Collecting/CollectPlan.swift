package import Platform
package import Sealing

/// What becomes of every object of a vault, and why: a value to print, to test, and to act by.
///
/// Pure: the log's state, what it needs, and what a listing showed. The listing only adds names that the log does not
/// hold; whether anything may go is the log's word, and the log judges it again when it is appended.
package struct CollectPlan: Sendable, Equatable {
    package enum Fate: Hashable, Sendable {
        /// A snapshot needs it, or the log does.
        case live
        /// Nothing needs it: it can be condemned now.
        case reclaimable
        /// It is condemned and can be deleted now.
        case condemned
        /// A claim stands on a snapshot that needs it, forgotten since or repacked since.
        case claimed(snapshot: Digest)
        /// A session's claim holds it.
        case session(ClaimID)
        /// Only an unfinished backup holds it, which nobody is at: the next one of its desktop can lean on it until a
        /// collector lets go of it.
        case unfinished
        /// Readers may need it until a checkpoint holds what was decided by it.
        case afterCheckpoint
    }

    package struct Item: Hashable, Sendable {
        package var object: ObjectRef
        package var fate: Fate
        /// The log does not hold it: a session that was not committed put it.
        package var isOrphan: Bool
    }

    /// Ordered by session, kind and digest.
    package private(set) var items: [Item] = []
    /// Of what is live: packs that outlived the snapshot which brought them, and of which parts may be dead.
    package private(set) var outlived: [ObjectRef] = []

    package var condemnable: [ObjectRef] { items.lazy.filter { $0.fate == .reclaimable }.map(\.object) }
    package var deletable: [ObjectRef] { items.lazy.filter { $0.fate == .condemned }.map(\.object) }

    /// - Parameter listed: what lies in the vault, by name, with its length; empty to plan by the log alone.
    /// - Throws: what reading sets throws.
    package init(
        _ state: LogState, _ needs: Needs, listed: [ObjectName: UInt64], _ pages: any PageSource
    ) throws(Failure) {
        let judge = try Judge(state, needs, pages)
        items.reserveCapacity(max(state.objects.count, listed.count))
        for (name, held) in state.objects {
            let object = ObjectRef(name: name, length: held.length)
            items.append(Item(object: object, fate: judge.fate(name, held), isOrphan: false))
        }
        for (name, length) in listed where state.objects[name] == nil {
            guard let fate = judge.fate(unheld: name) else { continue }
            items.append(Item(object: ObjectRef(name: name, length: length), fate: fate, isOrphan: true))
        }
        // Condemned packs first to go are as good as any; the order is fixed so that one seed gives one run.
        items.sort { $0.object.name.isBefore($1.object.name) }
        outlived = state.outlivedPacks(needs)
    }
}

extension ObjectName {
    /// Session by session, kind by kind.
    func isBefore(_ other: ObjectName) -> Bool {
        (session, kind, digest) < (other.session, other.kind, other.digest)
    }
}

/// Decides object by object; what all of them need is found out once.
private struct Judge {
    private let state: LogState
    private let needs: Needs
    private let sessions: [SessionID: ClaimID]
    /// The session claim that holds most of what is in the log: the newest.
    private let widest: (record: UInt64, claim: ClaimID)?
    /// Sessions of which a needed pack is here: their segments tell where its chunks lie.
    private let writers: Set<SessionID>
    /// The same, of packs that only stages need.
    private let stagers: Set<SessionID>
    /// Condemned packs that a claim keeps from going, and its snapshot.
    private let kept: [ObjectName: Digest]

    init(_ state: LogState, _ needs: Needs, _ pages: any PageSource) throws(Failure) {
        self.state = state
        self.needs = needs
        var sessions: [SessionID: ClaimID] = [:]
        var widest: (record: UInt64, claim: ClaimID)?
        for (claim, held) in state.claims.sorted(by: { $0.value.record < $1.value.record }) {
            guard case .session(let session) = held.scope else { continue }
            sessions[session] = claim
            widest = (held.record, claim)
        }
        self.sessions = sessions
        self.widest = widest
        var (writers, stagers) = (Set<SessionID>(), Set<SessionID>())
        for (name, held) in state.objects
        where name.kind == .pack && held.status != .condemned && needs.contains(name.digest) {
            if needs.staged.contains(name.digest) {
                stagers.insert(name.session)
            } else {
                writers.insert(name.session)
            }
        }
        (self.writers, self.stagers) = (writers, stagers)
        kept = try state.packsKeptByClaims(pages)
    }

    /// Of an object in the log.
    func fate(_ name: ObjectName, _ held: LogState.Holding) -> CollectPlan.Fate {
        if held.status == .condemned { return condemned(name, held) }
        if held.status == .damaged, needs.contains(name.digest), hasLiveCopy(than: name) { return free(name, held) }
        if needs.staged.contains(name.digest) { return staged(name) }
        if needs.live.contains(name.digest) { return .live }
        if let snapshot = needs.claimed[name.digest] { return .claimed(snapshot: snapshot) }
        switch name.kind {
        case .segment where writers.contains(name.session): return .live
        case .segment where stagers.contains(name.session): return staged(name)
        case .page where held.since > state.checkpoint?.state ?? 0: return .afterCheckpoint
        case .slot, .siteKey: return .live
        default: return free(name, held)
        }
    }

    /// Of an object that was listed; nil for what is not the collector's business.
    func fate(unheld name: ObjectName) -> CollectPlan.Fate? {
        switch name.kind {
        case .slot, .siteKey: nil
        case .checkpoint where state.checkpoint?.object == name: .live
        default: sessions[name.session].map { .session($0) } ?? .reclaimable
        }
    }

    private func staged(_ name: ObjectName) -> CollectPlan.Fate {
        sessions[name.session].map { .session($0) } ?? .unfinished
    }

    private func free(_ name: ObjectName, _ held: LogState.Holding) -> CollectPlan.Fate {
        if let claim = sessions[name.session] { return .session(claim) }
        if let widest, held.since <= widest.record { return .session(widest.claim) }
        return .reclaimable
    }

    private func condemned(_ name: ObjectName, _ held: LogState.Holding) -> CollectPlan.Fate {
        if let snapshot = kept[name] { return .claimed(snapshot: snapshot) }
        return state.mayGo(name, held) ? .condemned : .afterCheckpoint
    }

    private func hasLiveCopy(than name: ObjectName) -> Bool {
        state.names(of: name.kind, name.digest).contains { $0 != name && state.objects[$0]?.status == .live }
    }
}
