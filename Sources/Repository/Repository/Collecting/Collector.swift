internal import ObjectStore
internal import Platform
internal import Sealing

/// Frees what nothing needs in one vault, while backups, restores and copies run. No one waits for it and it waits for
/// no one: the log orders what is condemned against what is committed.
///
/// 1. Delete again what was condemned before and may be there still: a run that was cut short is finished by the next.
/// 2. Forget stages whose snapshot is there. Let go of the claims of dead sessions (see `ClaimWatch`), then of the stages that
///    dead sessions left, by the same watch.
/// 3. List the vault, then read the log forward: whoever put a listed object had claimed, committed or been let go
///    before, so that the log says which. Condemn what nothing needs, by the newest state, in records of bounded size.
/// 4. Write a checkpoint when condemned sets, manifests or pages wait for one.
/// 5. Delete what the log says is condemned, and record it. Then what a checkpoint now lets go.
/// 6. With the reader's key: repack what is mostly dead (`Repacker`), and delete what that condemned.
///
/// It may be killed at any point. What it condemned stands in the log and is found there by the next run.
package struct Collector {
    package struct Options: Sendable {
        /// A session that has not moved for so many seconds, between two runs, is dead.
        package var stillness: Int64 = 3600
        /// Let go of every claim of a session and of a reader, whatever it is doing, and of every unfinished backup.
        package var releasesClaims = false
        /// Below so many free bytes claims of sessions are let go, and unfinished backups.
        package var shortOfSpace: UInt64?
        /// With the reader's key, packs of which at most this share is alive are repacked; nil for none.
        package var repackBelow: Double?
        /// Deletes under way at the same time.
        package var workers = 4
        package init() {}
    }

    let repository: Repository
    let options: Options
    private let watch: any ClaimWatch
    private let isCancelled: @Sendable () -> Bool
    private(set) var report = CollectReport()

    package init(
        _ repository: Repository, _ options: Options = .init(), watch: any ClaimWatch = NoClaimWatch(),
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.repository = repository
        self.options = options
        self.watch = watch
        self.isCancelled = isCancelled
    }

    /// References in one record, well below what a record can hold.
    static let mostInRecord = 8000

    /// Collects.
    /// - Throws: `.refused` without the site's key; `.damaged` when a set cannot be read, before anything is condemned;
    ///   errors of the store. Whatever it throws, what is needed is there, and the next run goes on.
    package mutating func run() throws -> CollectReport {
        // One that a network held up, or that somebody put who then died, after the destruction had looked for all.
        if repository.log.state.isDestroyed { try repository.destroySlots() }
        try delete()
        try forgetStages()
        let listed = try list()
        try letGo(listed.sizes)
        let left = try condemn(listed.strangers)
        try checkpointIfAwaited()
        try delete()
        if let share = options.repackBelow {
            var repacker = Repacker(repository, share: share, isCancelled: isCancelled)
            report.repacked = try repacker.run()
            if report.repacked.packs > 0 { try delete() }
        }
        let locks = Dictionary(report.locked.map { ($0.object.name, $0.until) }) { $1 }
        report.usage = VaultUsage(try plan(left), repository.log.state, locks: locks)
        return report
    }

    /// What a run would find now, with nothing changed.
    package func plan() throws -> CollectPlan {
        let listed = try list()
        return try plan(listed.strangers, try repository.log.refresh().forgettingSupersededStages)
    }

    /// What repacking would find in a run now, with nothing changed; nil where none is asked for, and without the reader's
    /// key.
    /// - Throws: errors of the store. Damage postpones it.
    package func repackPlan() throws -> RepackPlan? {
        guard let share = options.repackBelow else { return nil }
        return try Repacker(repository, share: share, isCancelled: isCancelled).plan()
    }

    private func plan(_ listed: [ObjectName: UInt64]) throws -> CollectPlan {
        try plan(listed, try repository.log.refresh())
    }

    private func plan(_ listed: [ObjectName: UInt64], _ state: LogState) throws(Failure) -> CollectPlan {
        let pages = repository.log.pages
        return try CollectPlan(state, try Needs(state, pages), listed: listed, pages)
    }

    private func check() throws(Failure) {
        if isCancelled() { throw Failure(.cancelled, "collecting was asked to stop") }
    }

    // MARK: - 2. Stages and claims

    private mutating func forgetStages() throws {
        guard !repository.log.state.supersededStages.isEmpty else { return }
        var count = 0
        try appendUnlessNothing { state in
            let stages = state.supersededStages.prefix(Self.mostInRecord)
            count = stages.count
            return stages.isEmpty ? nil : .forget(Array(stages))
        }
        report.stagesForgotten += UInt64(count)
    }

    /// Lets go of what dead sessions hold, and remembers how the others were seen.
    private mutating func letGo(_ found: [SessionID: CollectReport.Share]) throws {
        let isShort = try isShortOfSpace()
        let seen = try watch.sightings(in: repository.log.state.vault)
        var kept = try letGoOfClaims(found, seen, isShort)
        for (stage, sighting) in try letGoOfStages(found, seen, isShort) { kept[stage] = sighting }
        if kept != seen { try watch.keep(kept, in: repository.log.state.vault) }
    }

    /// Why whoever was seen so is let go of; nil where it is not.
    private func dead(_ seen: Sighting?, now: Sighting, _ isShort: Bool) -> CollectReport.Released.Why? {
        if seen?.isStill(now: now, for: options.stillness) ?? false { return .still }
        if isShort { return .shortOfSpace }
        return options.releasesClaims ? .asked : nil
    }

    private func sighting(
        of session: SessionID, _ found: [SessionID: CollectReport.Share]
    ) -> Sighting {
        let size = found[session] ?? .init()
        return Sighting(objects: size.objects, bytes: size.bytes, time: repository.surroundings.now())
    }

    private mutating func letGoOfClaims(
        _ found: [SessionID: CollectReport.Share], _ seen: [ClaimID: Sighting], _ isShort: Bool
    ) throws -> [ClaimID: Sighting] {
        let state = try repository.log.refresh()
        var kept: [ClaimID: Sighting] = [:]
        for (claim, held) in state.claims.sorted(by: { ($0.value.record, $0.key) < ($1.value.record, $1.key) }) {
            try check()
            switch held.scope {
            case .session(let session):
                let now = sighting(of: session, found)
                if Repacker.isOfCollector(claim, held, session) {
                    try release(claim, .predecessor)
                } else if let why = dead(seen[claim], now: now, isShort) {
                    try release(claim, why)
                } else {
                    kept[claim] = now.merged(with: seen[claim])
                }
            case .read: if options.releasesClaims { try release(claim, .asked) }
            case .machine, .lean: break
            }
        }
        return kept
    }

    /// Stages are watched from the first on, whether a claim stands beside them or not, so that both go in one run.
    private mutating func letGoOfStages(
        _ found: [SessionID: CollectReport.Share], _ seen: [ClaimID: Sighting], _ isShort: Bool
    ) throws -> [ClaimID: Sighting] {
        let state = try repository.log.refresh()
        let abandoned = Set(state.abandonedStages.map(\.manifest.name.digest))
        var kept: [ClaimID: Sighting] = [:]
        var going: [Digest] = []
        for stage in state.stages {
            let digest = stage.manifest.name.digest
            let watched = ClaimID(truncating: digest)
            let now = sighting(of: stage.clear.session, found)
            if abandoned.contains(digest), let why = dead(seen[watched], now: now, isShort) {
                going.append(digest)
                let backup = CollectReport.Abandoned(session: stage.clear.session, why: why)
                if !report.abandoned.contains(backup) { report.abandoned.append(backup) }
            } else {
                kept[watched] = now.merged(with: seen[watched])
            }
        }
        for start in stride(from: 0, to: going.count, by: Self.mostInRecord) {
            try check()
            let part = going[start..<min(start + Self.mostInRecord, going.count)]
            try appendUnlessNothing { state in
                // A backup that began meanwhile may lean on them, and another collector may have been as quick.
                let still = Set(state.abandonedStages.map(\.manifest.name.digest))
                let stages = part.filter(still.contains)
                return stages.isEmpty ? nil : .forget(stages)
            }
        }
        return kept
    }

    private func isShortOfSpace() throws(Failure) -> Bool {
        guard let limit = options.shortOfSpace, let space = try repository.store.space() else { return false }
        return space.free < limit
    }

    private mutating func release(_ claim: ClaimID, _ why: CollectReport.Released.Why) throws {
        var scope: RecordBody.ClaimScope?
        try appendUnlessNothing { state in
            scope = state.claims[claim]?.scope
            return scope.map { _ in .release(claim) }
        }
        if let scope { report.released.append(.init(claim: claim, scope: scope, why: why)) }
    }

    // MARK: - 3. List and condemn

    /// What the folders hold that a collector cares for.
    private struct Listed {
        /// Objects that the log did not hold when the listing began, with their lengths. The others are the log's to name.
        var strangers: [ObjectName: UInt64] = [:]
        /// Of each session, what bears its name.
        var sizes: [SessionID: CollectReport.Share] = [:]
    }

    /// Names that no object has are none of its business.
    private func list() throws -> Listed {
        let state = repository.log.state
        var listed = Listed()
        for kind in ObjectKind.allCases where kind != .slot && kind != .siteKey {
            try repository.store.forEach(prefix: kind.folder + "/") { object in
                guard let name = ObjectName(path: object.key.text), name.kind == kind else { return }
                listed.sizes[name.session, default: .init()].add(object.length)
                if state.objects[name] == nil { listed.strangers[name] = object.length }
            }
            try check()
        }
        return listed
    }

    /// - Returns: what was listed, and is neither the log's nor condemned: what somebody claims.
    private mutating func condemn(_ listed: [ObjectName: UInt64]) throws -> [ObjectName: UInt64] {
        var left = listed
        var isDone = false
        while !isDone {
            try check()
            var going: [ObjectRef] = []
            let after = try appendUnlessNothing { state in
                let all = try plan(listed, state).condemnable
                going = Array(all.prefix(Self.mostInRecord))
                isDone = all.count <= Self.mostInRecord
                return going.isEmpty ? nil : .condemn(.inline(going), counted: state.head)
            }
            guard let after else { break }
            for object in going { left[object.name] = nil }
            // Read back: what the log does not call condemned is not deleted. Another collector may have been as quick.
            for object in going where after.objects[object.name].map({ $0.status == .condemned }) ?? true {
                report.condemned.add(object.length)
            }
        }
        return left
    }

    /// Appends as the site what `body` makes of the newest state; nil from it appends nothing.
    @discardableResult
    func appendUnlessNothing(_ body: (LogState) throws -> RecordBody?) throws -> LogState? {
        do {
            return try repository.appendAsSite { state in
                guard let record = try body(state) else { throw NothingToSay() }
                return record
            }
        } catch is NothingToSay { return nil }
    }

    private struct NothingToSay: Error {}

    // MARK: - 4. Checkpoint

    private mutating func checkpointIfAwaited() throws {
        let state = try repository.log.refresh()
        let mark = state.checkpoint?.state ?? 0
        let isAwaited = state.objects.contains { name, held in
            [.set, .manifest, .page].contains(name.kind) && held.status == .condemned && held.changed > mark
        }
        guard isAwaited else { return }
        // Another program of the site may write one first: then that one serves, or the next run's.
        if try repository.writeCheckpointIfDue(every: 1) { report.wroteCheckpoint = true }
    }

    // MARK: - 1. and 5. Delete

    /// Deletes by the log alone: whatever it calls condemned and lets go, whoever condemned it.
    private mutating func delete() throws {
        // What a checkpoint holds back goes once a record after the checkpoint's stands: the first round makes one, or the
        // second where the first finds everything locked.
        for _ in 0..<3 {
            let state = try repository.log.refresh()
            let needsRecord = state.checkpoint.map { $0.record == state.head } ?? false
            let locked = Set(report.locked.map(\.object.name))
            let going = try Self.deletable(state, repository.log.pages).filter { !locked.contains($0.name) }
            if going.isEmpty, !(needsRecord && Self.awaitsRecord(state)) { return }
            let gone = try erase(going)
            try recordCollected(gone, evenNone: going.isEmpty)
            try check()
            if gone.count + report.locked.count - locked.count < going.count { return }
        }
    }

    /// By the log alone, without counting what is needed: condemned is for ever.
    static func deletable(_ state: LogState, _ pages: any PageSource) throws(Failure) -> [ObjectRef] {
        let condemned = state.objects.filter { $0.value.status == .condemned }
        guard !condemned.isEmpty else { return [] }
        let kept = try state.packsKeptByClaims(pages)
        let going = condemned.filter { kept[$0.key] == nil && state.mayGo($0.key, $0.value) }
        return going.map { ObjectRef(name: $0.key, length: $0.value.length) }
            .sorted { $0.name.isBefore($1.name) }
    }

    private static func awaitsRecord(_ state: LogState) -> Bool {
        let mark = state.checkpoint?.state ?? 0
        return state.objects.contains { name, held in
            [.set, .manifest, .page].contains(name.kind) && held.status == .condemned && held.changed <= mark
        }
    }

    /// Deletes from the store what it does not lock, and returns what is gone for sure.
    private mutating func erase(_ going: [ObjectRef]) throws -> [ObjectRef] {
        let next = Monitor(0)
        let outcome = Monitor((gone: [Int](), failed: [CollectReport.Remaining](), locked: [CollectReport.Locked]()))
        let (store, surroundings, isCancelled) = (repository.store, repository.surroundings, isCancelled)
        try Workers.concurrently(min(max(options.workers, 1), max(going.count, 1))) { _ in
            while !isCancelled() {
                let mine = next.access { next in
                    defer { next += 1 }
                    return next
                }
                guard mine < going.count else { return }
                do throws(Failure) {
                    let key = try going[mine].name.key()
                    if let until = try (store as? any RetainingStore)?.lockedUntil(key) {
                        outcome.access { $0.locked.append(.init(object: going[mine], until: until)) }
                        continue
                    }
                    try store.deletePatiently(key, surroundings)
                    outcome.access { $0.gone.append(mine) }
                } catch {
                    if error.code == .cancelled { throw error }
                    let remaining = CollectReport.Remaining(object: going[mine], problem: error)
                    outcome.access { $0.failed.append(remaining) }
                }
            }
        }
        let (gone, failed, locked) = outcome.access { ($0.gone.sorted(), $0.failed, $0.locked) }
        report.locked += locked.sorted { $0.object.name.isBefore($1.object.name) }
        report.remaining += failed.sorted { $0.object.name.isBefore($1.object.name) }
        for index in gone { report.deleted.add(going[index].length) }
        return gone.map { going[$0] }
    }

    private func recordCollected(_ gone: [ObjectRef], evenNone: Bool) throws {
        if gone.isEmpty, evenNone { try repository.appendAsSite { _ in .collected(.inline([])) } }
        for start in stride(from: 0, to: gone.count, by: Self.mostInRecord) {
            let part = gone[start..<min(start + Self.mostInRecord, gone.count)]
            try appendUnlessNothing { state in
                // Another collector may have said so first.
                let still = part.filter { state.objects[$0.name]?.status == .condemned }
                return still.isEmpty ? nil : .collected(.inline(Array(still)))
            }
        }
    }
}

extension ObjectStore {
    /// Deletes, and asks again when the answer is lost: a delete done twice is a delete done.
    func deletePatiently(_ key: StoreKey, _ surroundings: Surroundings) throws(Failure) {
        var problem: Failure?
        for attempt in 0..<24 {
            do throws(Failure) {
                return try delete(key)
            } catch {
                guard error.code == .unknownOutcome || error.code == .unreachable else { throw error }
                problem = error
            }
            surroundings.pause(UInt64(min(attempt + 1, 10)) * 20_000_000)
        }
        if let problem { throw problem }
    }
}
