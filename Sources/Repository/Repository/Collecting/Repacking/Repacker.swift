internal import ObjectStore
internal import Platform
internal import Sealing

/// Moves what is alive out of packs that are mostly dead.
///
/// Needs the reader's key: which chunks are alive only the trees say, and a frame cannot change its number without being
/// sealed anew. New packs are sealed under the key of the session that first sealed their chunks, each with a salt of its
/// own as every pack, so that the envelopes which the snapshots carry open them.
///
/// 1. Candidates: packs in use whose own snapshot is gone. While that one stands everything in them is referred to.
/// 2. Claim a session. Walk the snapshots that need a candidate, and see which chunks they refer to.
/// 3. Write the living chunks of the packs below the share into new packs, session by session and in the order of their
/// capture, so that what was stored together is read together. Open each new pack and compare it before it counts.
/// 4. Append `relocate`, unless a snapshot committed meanwhile needs one of the packs whole. Release the claim.
///
/// While a backup or copy holds a claim nothing is repacked: it may lean on what is dead. One that was let go of and runs
/// all the same names packs that were moved, does not list what they were moved to, and its commit is void.
struct Repacker {
    private let repository: Repository
    private let share: Double
    private let isCancelled: @Sendable () -> Bool
    private(set) var report = RepackReport()

    /// Tables held in memory at a time; what is left over is the next run's.
    private static let mostPacks = 256

    init(_ repository: Repository, share: Double, isCancelled: @escaping @Sendable () -> Bool) {
        self.repository = repository
        self.share = share
        self.isCancelled = isCancelled
    }

    /// A pack that may be mostly dead.
    struct Candidate {
        var name: ObjectName
        var length: UInt64
        var origin: SessionID
        var table: PackTable
        /// Where it stood among the packs of its session.
        var place: Int

        var bytes: UInt64 { table.frames.reduce(0) { $0 + $1.chunks.reduce(0) { $0 + $1.length } } }
        func bytes(alive: Set<ChunkID>) -> UInt64 {
            table.frames.reduce(0) { sum, frame in
                frame.chunks.reduce(sum) { alive.contains($1.id) ? $0 + $1.length : $0 }
            }
        }

        /// Bytes of the pack that are there for what is dead, its part of the table and the hashes with it: as if every
        /// byte of a frame were packed as tightly as the others.
        func packedBytes(besides alive: Set<ChunkID>) -> UInt64 {
            var (sealed, dead) = (0.0, 0.0)
            for frame in table.frames {
                let all = frame.chunks.reduce(0) { $0 + $1.length }
                let left = frame.chunks.reduce(0) { alive.contains($1.id) ? $0 + $1.length : $0 }
                guard all > 0 else { continue }
                sealed += Double(frame.sealedLength)
                dead += Double(frame.sealedLength) * (Double(all - left) / Double(all))
            }
            return sealed > 0 ? min(UInt64(Double(length) * (dead / sealed)), length) : 0
        }
    }

    private var isKeyed: Bool { repository.keys.secret != nil && !repository.keys.readers.isEmpty }

    private static let claimed =
        "a backup, a copy or another collector is under way, and may lean on what would be left out; where it was killed, "
        + "`breakwater repository collect --release-claims` lets go of its claim"

    /// By its name the claim of a collector that repacks is known from others: the next one lets go of what a killed one
    /// left.
    private static func claim(of session: SessionID) -> ClaimID { ClaimID(of: session, "breakwater repack claim v1") }

    static func isOfCollector(_ claim: ClaimID, _ held: LogState.Claim, _ session: SessionID) -> Bool {
        held.owner == nil && claim == Self.claim(of: session)
    }

    /// Whether there is nothing to move for what was thrown, rather than a reason to fail.
    private static func isPostponement(_ failure: Failure) -> Bool {
        [.damaged, .notFound, .full].contains(failure.code)
    }

    /// What `run` would do in a collector's run now. Claims nothing and puts nothing, and reads what a run reads to see
    /// what is alive.
    /// - Returns: nil without the reader's key.
    /// - Throws: what `run` throws.
    func plan() throws -> RepackPlan? {
        guard isKeyed else { return nil }
        let state = try repository.log.refresh().forgettingSupersededStages
        var plan = RepackPlan()
        do {
            plan = try look(state).plan
            // A run begins by letting go of what a collector before it holds.
            let isClaimed = state.claims.contains { id, held in
                held.scope.session.map { !Self.isOfCollector(id, held, $0) } ?? false
            }
            if isClaimed { plan.postponed = Self.claimed }
        } catch let failure as Failure where Self.isPostponement(failure) { plan.postponed = failure.what }
        return plan
    }

    mutating func run() throws -> RepackReport {
        guard isKeyed else { return report }
        let before = try repository.log.refresh()
        guard try !candidates(before).isEmpty else { return report }
        guard !Self.isClaimed(before, besides: nil) else {
            report.postponed = Self.claimed
            return report
        }
        let session = SessionID.random(repository.surroundings)
        let claim = Self.claim(of: session)
        try repository.appendAsSite { _ in .claim(claim, .session(session)) }
        do {
            try move(under: session, claim)
        } catch {
            // What was put is an orphan that the next run condemns; the first error is the one to tell.
            try? release(claim)
            guard let failure = error as? Failure, Self.isPostponement(failure) else { throw error }
            report.postponed = failure.what
            return report
        }
        try release(claim)
        return report
    }

    /// A collector beside may have let go of it.
    private func release(_ claim: ClaimID) throws {
        try Collector(repository).appendUnlessNothing { $0.claims[claim] == nil ? nil : .release(claim) }
    }

    private static func isClaimed(_ state: LogState, besides own: ClaimID?) -> Bool {
        state.claims.contains { $0.key != own && $0.value.scope.session != nil }
    }

    // MARK: - 1. Candidates

    private func candidates(_ state: LogState) throws -> [ObjectRef] {
        state.outlivedPacks(try Needs(state, repository.log.pages))
    }

    private func examine(_ references: [ObjectRef], _ state: LogState) throws -> [Candidate] {
        let opener = PackOpener(repository, envelopes: state.envelopes)
        let places = try places(in: state, of: Set(references.map(\.name.session)))
        var candidates: [Candidate] = []
        for reference in references {
            let name = reference.name
            // What is damaged is repaired, not repacked.
            do throws(Failure) {
                let (origin, table) = try opener.contents(name.digest)
                guard table.frames.allSatisfy(\.isPossible) else { continue }
                candidates.append(
                    Candidate(
                        name: name, length: reference.length, origin: origin, table: table,
                        place: places[name.digest] ?? .max))
            } catch { guard error.code == .damaged || error.code == .notFound else { throw error } }
        }
        return candidates
    }

    /// Where each pack stood in its session: as its segments list them.
    private func places(in state: LogState, of sessions: Set<SessionID>) throws -> [Digest: Int] {
        guard let secret = repository.keys.secret else { return [:] }
        var places: [Digest: Int] = [:]
        for name in state.objects.keys.filter({ $0.kind == .segment && sessions.contains($0.session) }).sorted() {
            guard let bytes = try? repository.objects.read(name),
                let segment = try? Segment(bytes, secret, repository: repository.id, name: name.path)
            else { continue }
            for pack in segment.packs where places[pack.root] == nil { places[pack.root] = places.count }
        }
        return places
    }

    // MARK: - 2. What is alive

    private func alive(in candidates: [Candidate], _ state: LogState) throws -> Set<ChunkID> {
        let packs = Set(candidates.map(\.name.digest))
        let wanted = Set(candidates.flatMap { $0.table.frames.flatMap { $0.chunks.map(\.id) } })
        var living: Set<ChunkID> = []
        var walk = try ReferenceWalk(repository, isCancelled: isCancelled) { id, _ in
            if wanted.contains(id) { living.insert(id) }
        }
        let claimed = Set(state.claims.values.compactMap(\.scope.snapshot))
        let index = try repository.loadIndex(for: .reading).index
        for (digest, committed) in state.snapshots.sorted(by: { $0.value.record < $1.value.record })
        where !committed.isForgotten || claimed.contains(digest) {
            guard try !state.needs(of: committed, repository.log.pages).isDisjoint(with: packs) else { continue }
            // A stage refers to nothing by a tree, and to everything by its sets.
            guard !committed.clear.isStage else {
                throw Failure(.notFound, "an unfinished backup holds what it stored")
            }
            let snapshot = try repository.snapshot(committed)
            try walk.walk(snapshot, try SnapshotReader(repository, snapshot, index: index))
        }
        return living
    }

    // MARK: - 3. New packs

    /// Looks into the candidates: what becomes of each, and of those that are moved what is alive.
    private func look(_ state: LogState) throws -> (plan: RepackPlan, chosen: [Candidate], alive: Set<ChunkID>) {
        let candidates = try candidates(state)
        let all = try examine(Array(candidates.prefix(Self.mostPacks)), state)
        let alive = try alive(in: all, state)
        let dead = all.filter { Double($0.bytes(alive: alive)) <= Double($0.bytes) * share }
        // What the store keeps locked would give no space back, and what is alive of it would lie there twice.
        let locked = try repository.locks(of: dead.map(\.name))
        let chosen = dead.filter { locked[$0.name] == nil }
        let moves = Set(chosen.map(\.name))
        var plan = RepackPlan()
        plan.packs = all.map { pack in
            .init(
                object: ObjectRef(name: pack.name, length: pack.length), dead: pack.packedBytes(besides: alive),
                fate: moves.contains(pack.name)
                    ? .moves : locked[pack.name].map { RepackPlan.Fate.locked(until: $0) } ?? .mostlyAlive)
        }
        plan.left = UInt64(max(0, candidates.count - Self.mostPacks))
        return (plan, chosen, alive)
    }

    private mutating func move(under session: SessionID, _ claim: ClaimID) throws {
        let state = repository.log.state
        let (_, chosen, alive) = try look(state)
        let groups = Dictionary(grouping: chosen, by: \.origin).sorted { $0.key < $1.key }
        var moves: [RecordBody.Relocation] = []
        var segments: [ObjectRef] = []
        for (origin, packs) in groups {
            let ordered = packs.sorted { ($0.place, $0.name) < ($1.place, $1.name) }
            guard let secret = repository.keys.secret, let envelope = state.envelopes[origin] else { continue }
            let resealing = try Resealing(
                repository, secret, of: origin, envelope: envelope, into: session, isCancelled: isCancelled)
            let written = try write(ordered, alive, into: resealing, state)
            guard !written.isEmpty else { continue }
            let told = try resealing.putSegments(written)
            segments += told
            report.rewritten += told.reduce(0) { $0 + $1.length }
            for pack in ordered {
                let ids = Set(pack.table.frames.flatMap { $0.chunks.map(\.id) }).intersection(alive)
                let holders = written.filter { $0.holds(any: ids) }
                let targets = (holders.isEmpty ? Array(written.prefix(1)) : holders).map(\.object)
                moves.append(.init(root: pack.name.digest, objects: targets))
            }
            report.newPacks += UInt64(written.count)
            let length = written.reduce(0) { $0 + $1.object.length }
            report.bytesAfter += length
            report.rewritten += length
        }
        guard !moves.isEmpty else { return }
        try publish(moves, segments, counted: state, claim)
        let moved = Set(moves.map(\.root))
        guard report.postponed == nil else { return }
        for pack in chosen where moved.contains(pack.name.digest) {
            report.packs += 1
            report.bytesBefore += pack.length
        }
    }

    private func write(
        _ packs: [Candidate], _ alive: Set<ChunkID>, into resealing: Resealing, _ state: LogState
    ) throws -> [PackWriter.Finished] {
        let opener = PackOpener(repository, envelopes: state.envelopes)
        do {
            for pack in packs {
                try resealing.take(alive, of: pack.name.digest, pack.table, opener) { throw $0 }
            }
        } catch {
            resealing.stop()
            throw error
        }
        return try resealing.finish()
    }

    // MARK: - 4. Publish

    /// Liveness was counted in `counted`; what was committed since is looked at in the newest state.
    private mutating func publish(
        _ moves: [RecordBody.Relocation], _ segments: [ObjectRef], counted: LogState, _ claim: ClaimID
    ) throws {
        let repository = repository
        let after = try Collector(repository).appendUnlessNothing { newest in
            guard newest.claims[claim] != nil, !Self.isClaimed(newest, besides: claim) else { return nil }
            var needed: Set<Digest> = []
            let all = newest.snapshots.values.sorted { $0.record < $1.record }
            for snapshot in all where snapshot.record > counted.head && !snapshot.isForgotten {
                needed.formUnion(try newest.needs(of: snapshot, repository.log.pages))
            }
            // All or none: what was counted together is left together.
            let isFree = moves.allSatisfy { move in
                !needed.contains(move.root) && newest.moved[move.root] == nil
                    && newest.names(of: .pack, move.root).contains { newest.objects[$0]?.status == .live }
            }
            guard isFree, var first = moves.first else { return nil }
            first.objects += segments
            return .relocate([first] + moves.dropFirst(), counted: newest.head)
        }
        guard after == nil else { return }
        report = RepackReport()
        report.postponed = "a backup, a copy or another collector came while it was repacked"
    }
}

extension PackWriter.Finished {
    fileprivate func holds(any ids: Set<ChunkID>) -> Bool {
        table.frames.contains { $0.chunks.contains { ids.contains($0.id) } }
    }
}
