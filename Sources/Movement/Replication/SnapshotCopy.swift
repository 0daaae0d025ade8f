internal import ObjectStore
internal import Platform
internal import Repository
internal import Sealing

/// Copies snapshots one after another; step 4 of `Replicator`.
struct SnapshotCopy {
    enum Outcome {
        case copied, alreadyThere, forgotten, goneAtOrigin
        case damaged(Failure)
    }

    private let source: Repository
    private let target: Repository
    /// The base repository at the destination.
    private let base: Repository?
    private let mirror: OriginMirror
    private let workers: Int
    private let surroundings: Surroundings
    private let meter: CopyMeter
    private let isCancelled: @Sendable () -> Bool
    /// The session under way: of one commit, and taken up again when the copy is interrupted before it.
    private var session: SessionID?
    private var hasPut = false
    /// Sessions that hold parts of damaged snapshots: left claimed, for when the origin is repaired.
    private var aside: Set<SessionID> = []
    /// Live packs of the destination that were seen in its store.
    private var seen: Set<ObjectName> = []
    /// Live segments of the origin by the session that wrote them, as of a head.
    private var segments: (head: UInt64, names: [SessionID: [ObjectName]]) = (.max, [:])

    /// Packs that the report has counted, as sent or as there before: each once, however many snapshots share it.
    private var counted: Set<Digest> = []

    private static let attempts = 10

    init(
        _ source: Repository, _ target: Repository, base: Repository?, workers: Int, surroundings: Surroundings,
        meter: CopyMeter, isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.source = source
        self.target = target
        self.base = base
        mirror = OriginMirror(source, target)
        self.workers = workers
        self.surroundings = surroundings
        self.meter = meter
        self.isCancelled = isCancelled
    }

    /// - Throws: what the stores throw, and `.cancelled`; what is wrong with the snapshot is an outcome.
    mutating func run(_ digest: Digest, _ report: inout CopyReport) throws -> Outcome {
        var attempt = 0
        while true {
            attempt += 1
            if isCancelled() { throw Failure(.cancelled, "the copy was asked to stop") }
            let here = try target.log.refresh()
            guard !here.isDestroyed else {
                throw Failure(
                    .refused, "repository \(target.id) was destroyed meanwhile", advice: "Nothing of it is copied.")
            }
            if here.forgotten.contains(digest) { return .forgotten }
            if here.snapshots[digest] != nil { return .alreadyThere }
            let origin = source.log.state
            guard let committed = origin.snapshots[digest], !committed.isForgotten else { return .goneAtOrigin }
            do {
                try copy(committed, origin, &report)
                return .copied
            } catch let problem as OriginProblem {
                // It may have been collected, or moved, since the origin's log was read.
                let after = try source.log.refresh()
                if after.head == origin.head || attempt >= Self.attempts {
                    try setAside()
                    return .damaged(problem.failure)
                }
            } catch let spoiled as SessionSpoiled {
                guard attempt < Self.attempts else { throw spoiled.failure }
                try letGo()
            } catch let refused as CommitRefused {
                guard attempt < Self.attempts else {
                    try setAside()
                    return .damaged(refused.failure)
                }
            }
        }
    }

    /// Ends what is under way. A session that put nothing is let go; one that did is left claimed for the next copy.
    mutating func finish() throws {
        if !hasPut { try letGo() }
    }

    // MARK: - One attempt

    private mutating func copy(
        _ committed: LogState.Committed, _ origin: LogState, _ report: inout CopyReport
    ) throws {
        let clear = committed.clear
        for lean in clear.leans { try hold(lean) }
        let manifest = try OriginProblem.marking { () throws(Failure) in try verifiedManifest(committed, origin) }
        let roots = try OriginProblem.marking { () throws(Failure) in try origin.roots(of: clear, source.objects) }
        let hash = try OriginProblem.marking { () throws(Failure) in try commitHash(committed) }
        let session = try openSession()
        let here = target.log.state
        let plan = try CopyPlan(roots, origin: origin, here: here) { pack throws(Failure) in
            try isThere(pack, here)
        }

        let tally = Monitor(PackTransfer.Tally())
        let transfer = PackTransfer(
            source: source, target: target, session: session, meter: meter, workers: workers,
            isCancelled: isCancelled)
        defer {
            let done = tally.access { $0 }
            report.packs += done.packs
            report.packsResumed += done.resumed
            report.bytesSent += done.bytes
            if !done.put.isEmpty { hasPut = true }
        }
        try transfer.run(plan.missing, tally: tally)
        var objects = tally.access { $0.put }.sorted { $0.name < $1.name }

        let envelopes = clear.envelopes.flatMap(origin.wraps(of:))
        let small = envelopes.map { (ObjectKind.envelope, $0) } + clear.sets.map { (ObjectKind.set, $0) }
        for (kind, digest) in small where try !isWhole(kind, digest, here) {
            let bytes = try OriginProblem.marking { () throws(Failure) in try source.object(kind, digest) }
            objects.append(try put(bytes, as: kind, session, &report))
        }
        objects += try carrySegments(roots, clear, origin, here, session, &report)
        try target.retain(
            plan.there.union(clear.sets).union(envelopes).union(clear.envelopes.flatMap(here.wraps)), new: objects)
        let reference = try put(manifest.bytes, as: .manifest, session, &report)
        do {
            try relocate(plan, fetched: objects)
            let known = try references(plan.listed, objects, target.log.state)
            objects += known.filter { !objects.contains($0) }
            let listing = try target.listing(objects, session: session)
            try target.appendAsSite { _ in
                .commit(
                    RecordBody.Commit(
                        origin: .copied(source.vault, record: committed.record, hash: hash), session: session,
                        manifest: reference, clear: clear.bytes, objects: listing))
            }
        } catch let failure as Failure where failure.code == .refused { throw CommitRefused(failure: failure) }
        self.session = nil
        counted.formUnion(plan.missing)
        for pack in plan.there where counted.insert(pack).inserted {
            report.bytesAlreadyThere += here.names(of: .pack, pack).first.flatMap { here.objects[$0]?.length } ?? 0
        }
    }

    /// A template is held in the base at the destination before anything that leans on it is copied there.
    private func hold(_ lean: ClearPart.Lean) throws {
        func leftOut(_ why: String, _ advice: String) -> OriginProblem {
            let what = "it leans on template \(lean.snapshot.hex) of repository \(lean.template)"
            return OriginProblem(failure: Failure(.notFound, "\(what), \(why)", advice: advice))
        }
        guard let base, base.id == lean.template else {
            throw leftOut(
                "of which no vault at the destination was named",
                "Copy that repository there first, and name its vault with --base.")
        }
        let place = base.store.location
        guard let template = try base.log.refresh().snapshots[lean.snapshot] else {
            throw leftOut("which \(place) does not hold", "Copy that repository there first.")
        }
        guard !target.log.state.closedLeans.contains(lean.snapshot) else {
            throw leftOut("which was let go of at the destination", "Back up against a newer template.")
        }
        do {
            try base.claimLean(on: lean.snapshot, for: target)
        } catch let failure as Failure where failure.code == .refused {
            throw leftOut("which cannot be held in \(place): \(failure.what)", failure.advice)
        }
        try base.retain(template)
    }

    /// Whether the destination's log holds a pack alive and its store has it, at its length: asked once of each. What was
    /// lost behind the log's back is brought again rather than committed as a hole.
    private mutating func isThere(_ pack: Digest, _ here: LogState) throws(Failure) -> Bool {
        for name in here.names(of: .pack, pack) {
            guard let held = here.objects[name], held.status == .live else { continue }
            if seen.contains(name) { return true }
            guard try target.store.length(of: try name.key()) == held.length else { continue }
            seen.insert(name)
            return true
        }
        return false
    }

    /// The same of a small object, which is read: an envelope of one bit less opens nothing.
    private func isWhole(_ kind: ObjectKind, _ digest: Digest, _ here: LogState) throws(Failure) -> Bool {
        guard here.isLive(kind, digest) else { return false }
        do throws(Failure) {
            _ = try target.objects.page(here.names(of: kind, digest).filter { here.objects[$0]?.status == .live })
            return true
        } catch {
            guard [.damaged, .notFound, .failed].contains(error.code) else { throw error }
            return false
        }
    }

    private func verifiedManifest(
        _ committed: LogState.Committed, _ origin: LogState
    ) throws(Failure) -> Manifest {
        let digest = committed.manifest.name.digest
        let manifest = try Manifest(
            try source.object(.manifest, digest), root: origin.charter.root, repository: origin.repository)
        guard manifest.clear == committed.clear else {
            throw Failure(.damaged, "manifest \(digest) is not the one that the log describes")
        }
        return manifest
    }

    /// The hash of the origin's record that committed the snapshot.
    private func commitHash(_ committed: LogState.Committed) throws(Failure) -> Digest {
        func isMeant(_ record: Record) -> Bool {
            if case .commit(let commit) = record.body { commit.manifest == committed.manifest } else { false }
        }
        let record = try mirror.record(committed.record, isMeant: isMeant)
        guard isMeant(record) else {
            throw Failure(.damaged, "record \(committed.record) of \(source.store.location) is not the commit it was")
        }
        return record.hash
    }

    private mutating func put(
        _ bytes: [UInt8], as kind: ObjectKind, _ session: SessionID, _ report: inout CopyReport
    ) throws -> ObjectRef {
        do throws(Failure) {
            let reference = try Repository.put(bytes, as: kind, session: session, target.store)
            report.bytesSent += reference.length
            hasPut = true
            return reference
        } catch { throw SessionSpoiled.meaning(error) }
    }

    /// Segments cover the packs of their own session. They are hints: one that cannot be had is left out.
    private mutating func carrySegments(
        _ roots: Set<Digest>, _ clear: ClearPart, _ origin: LogState, _ here: LogState, _ session: SessionID,
        _ report: inout CopyReport
    ) throws -> [ObjectRef] {
        if segments.head != origin.head {
            let live = origin.objects.filter { $0.key.kind == .segment && $0.value.status == .live }
            segments = (origin.head, Dictionary(grouping: live.map(\.key).sorted(), by: \.session))
        }
        var writers: Set<SessionID> = [clear.session]
        for root in roots {
            for pack in origin.packs(for: root) { writers.formUnion(origin.names(of: .pack, pack).map(\.session)) }
        }
        var carried: [ObjectRef] = []
        for name in writers.sorted().flatMap({ segments.names[$0] ?? [] })
        where !here.isLive(.segment, name.digest) && !carried.contains(where: { $0.name.digest == name.digest }) {
            if let bytes = try read(name, &report) { carried.append(try put(bytes, as: .segment, session, &report)) }
        }
        return carried
    }

    private func read(_ segment: ObjectName, _ report: inout CopyReport) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try source.objects.read(segment)
        } catch {
            guard error.code == .damaged || error.code == .notFound else { throw error }
            report.damagedSegments.append(error)
            return nil
        }
    }

    /// Where one of the vaults repacked, roots are led to packs that hold what the snapshot needs: back to the pack
    /// itself, or to what the origin moved it to besides what the destination did.
    private func relocate(_ plan: CopyPlan, fetched: [ObjectRef]) throws {
        let back = plan.restored.map { (root: $0, packs: [$0]) }
        for moves in [back, plan.relocated] where !moves.isEmpty {
            try target.appendAsSite { state in
                let relocations = try moves.map { root, packs in
                    RecordBody.Relocation(root: root, objects: try references(packs, fetched, state))
                }
                return .relocate(relocations, counted: state.head)
            }
        }
    }

    /// Packs that were fetched, or that the destination's log holds alive.
    private func references(_ packs: [Digest], _ fetched: [ObjectRef], _ state: LogState) throws -> [ObjectRef] {
        try packs.map { pack in
            if let reference = fetched.first(where: { $0.name.kind == .pack && $0.name.digest == pack }) {
                return reference
            }
            let names = state.names(of: .pack, pack)
            guard let name = names.first(where: { state.objects[$0]?.status == .live }), let held = state.objects[name]
            else { throw Failure(.refused, "pack \(pack) went away while it was leant on") }
            return ObjectRef(name: name, length: held.length)
        }
    }

    // MARK: - Sessions

    /// The session to put under: the one under way while its claim stands, one that an interrupted copy left, or a new
    /// one.
    private mutating func openSession() throws -> SessionID {
        let state = target.log.state
        if let session, Self.isOpen(session, state) { return session }
        session = nil
        let left = state.claims.compactMap { id, claim -> (record: UInt64, session: SessionID)? in
            guard case .session(let session) = claim.scope, claim.owner == nil, id == Self.claim(of: session),
                Self.isOpen(session, state), !aside.contains(session)
            else { return nil }
            return (claim.record, session)
        }
        if let oldest = left.min(by: { $0.record < $1.record }) {
            session = oldest.session
            hasPut = true
            return oldest.session
        }
        let fresh = SessionID.random(surroundings)
        try target.appendAsSite { _ in .claim(Self.claim(of: fresh), .session(fresh)) }
        session = fresh
        hasPut = false
        return fresh
    }

    /// A commit ends its session's claim, and a condemned object closes the session: then it is over.
    private static func isOpen(_ session: SessionID, _ state: LogState) -> Bool {
        state.claims[claim(of: session)] != nil && !state.closedSessions.contains(session)
    }

    /// By its name the claim of a copy is known from those of other programs of the site.
    private static func claim(of session: SessionID) -> ClaimID { ClaimID(of: session, "breakwater copy claim v1") }

    private mutating func setAside() throws {
        guard hasPut, let session else { return try letGo() }
        aside.insert(session)
        self.session = nil
    }

    private mutating func letGo() throws {
        guard let session else { return }
        self.session = nil
        try target.release(Self.claim(of: session))
    }
}
