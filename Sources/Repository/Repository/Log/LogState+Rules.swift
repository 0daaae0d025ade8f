package import Platform
internal import Sealing

/// Why a record has no effect.
package struct RuleBroken: Error, Sendable, Equatable {
    package let reason: String
    init(_ reason: String) { self.reason = reason }
}

extension LogState {
    /// What becomes of a record.
    package enum Verdict: Sendable, Equatable {
        case effective
        /// Authentic, but it breaks a rule or is outside its signer's role: it keeps its number and has no effect.
        case void(String)
    }

    /// What a record is judged by besides the state.
    package struct Evidence: Sendable {
        /// The pages that list a record's objects. Without them a record that names some is taken to list nothing.
        package var listings: (any PageSource)?
        /// The sets of snapshots. Without them what they would decide is taken to be in order.
        package var sets: (any PageSource)?

        package init(listings: (any PageSource)? = nil, sets: (any PageSource)? = nil) {
            self.listings = listings
            self.sets = sets
        }
    }

    /// A record that was taken to be effective though it could not be judged.
    package struct Undecided: Hashable, Sendable {
        package enum Cause: Sendable, Hashable {
            /// A set cannot be read.
            case set
            /// A page that lists the record's objects cannot be read.
            case listing
            /// It is a checkpoint, and the state of which it has the digest is another than what was read up to it.
            case otherState
        }
        package var number: UInt64
        package var cause: Cause

        package init(_ number: UInt64, _ cause: Cause) {
            self.number = number
            self.cause = cause
        }
    }

    /// Goes on by one record, judged by everything that it names.
    @discardableResult
    package mutating func apply(_ record: Record, pages: any PageSource) throws(Failure) -> Verdict {
        try apply(record, by: Evidence(listings: pages, sets: pages))
    }

    /// Goes on by one record. Every rule is checked before anything changes, so a void record leaves no trace.
    ///
    /// A record that is effective as far as the evidence goes, when that is not all, is noted as undecided.
    /// - Throws: `.damaged` when the record does not follow this head, `.damaged` or `.notFound` when a page or set of
    ///   the evidence that a rule needs cannot be read; the state is then as before.
    @discardableResult
    package mutating func apply(_ record: Record, by evidence: Evidence) throws(Failure) -> Verdict {
        guard record.number == head + 1, record.previous == headHash, record.vault == vault else {
            throw Failure(.damaged, "log record \(record.number) does not follow record \(head)")
        }
        var verdict = Verdict.effective
        do {
            try judge(record, evidence)
        } catch let broken as RuleBroken {
            verdict = .void(broken.reason)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.failed, "log record \(record.number) could not be judged", cause: error)
        }
        if verdict == .effective, evidence.sets == nil {
            let isListed = evidence.listings != nil || !record.body.hasPages
            undecided.append(Undecided(record.number, isListed ? .set : .listing))
        }
        pass(record)
        return verdict
    }

    /// Whether a record would be effective, were it the next: what an appender asks before it appends.
    package func verdict(on record: Record, pages: any PageSource) throws(Failure) -> Verdict {
        var trial = self
        return try trial.apply(record, pages: pages)
    }

    /// Goes on by a record that has no effect.
    mutating func pass(_ record: Record) {
        head = record.number
        headHash = record.hash
    }

    /// Takes what is undecided as it was read.
    mutating func settle() { undecided = [] }

    /// Goes on by bytes that are no record: from here on only a void of them counts.
    package mutating func block(number: UInt64, object: [UInt8]) {
        let hash = Record.hash(ofUnverified: object)
        head = number
        headHash = hash
        if blockedBy == nil { blockedBy = hash }
    }

    private mutating func judge(_ record: Record, _ evidence: Evidence) throws {
        if let blockedBy {
            guard case .void(let number, let hash) = record.body, case .site = record.author, hash == blockedBy,
                number < record.number
            else { throw RuleBroken("bytes before it are no record, and no void stands") }
            self.blockedBy = nil
            return
        }
        guard record.checkpoint == checkpoint?.record ?? 0 else {
            throw RuleBroken("it names a checkpoint that is not the last")
        }
        let author = try authority(of: record)
        if isDestroyed {
            switch record.body {
            case .condemn, .collected, .checkpoint, .void, .release: break
            default: throw RuleBroken("the repository was destroyed")
            }
        }
        switch record.body {
        case .genesis: throw RuleBroken("a second genesis")
        case .commit(let commit): try judge(commit, record, author, evidence)
        case .forget(let snapshots): try forget(snapshots)
        case .condemn(let listing, let counted):
            guard counted < record.number else { throw RuleBroken("liveness counted at a record to come") }
            try condemn(try listing.objects(evidence.listings), record: record.number, evidence.sets)
            holdPages(of: listing, since: record.number)
        case .relocate(let relocations, let counted):
            guard counted < record.number else { throw RuleBroken("liveness counted at a record to come") }
            try relocate(relocations, counted: counted, record: record.number, evidence.sets)
        case .collected(let listing):
            try collect(try listing.objects(evidence.listings).map(\.name), evidence.sets)
            holdPages(of: listing, since: record.number)
        case .damaged(let listing):
            for object in try listing.objects(evidence.listings) where objects[object.name]?.status == .live {
                change(object.name, to: .damaged, record: record.number)
            }
            holdPages(of: listing, since: record.number)
        case .claim(let claim, let scope): try add(claim, scope, record: record.number, author)
        case .release(let claim): try release(claim, author)
        case .statement(let statement): try hear(statement)
        case .reseal(let statement, let objects): try reseal(statement, objects, record: record.number)
        case .checkpoint(let name, let state):
            guard state < record.number, name.kind == .checkpoint else {
                throw RuleBroken("a checkpoint of a state to come")
            }
            guard state > checkpoint?.state ?? 0 else {
                throw RuleBroken("a checkpoint of a state no newer than the last one's")
            }
            // Condemned while it was not yet named, it may be gone.
            guard !closedSessions.contains(name.session) else { throw RuleBroken("the checkpoint was condemned") }
            checkpoint = CheckpointMark(record: record.number, state: state, object: name)
        case .void: throw RuleBroken("nothing to void")
        case .closeLean(_, let snapshot): try close(leansOn: snapshot)
        }
    }

    // MARK: - Roles

    /// Nil for the site; the certificate otherwise.
    private func authority(of record: Record) throws -> Certificate? {
        guard case .certified(let statement) = record.author, case .certificate(let certificate) = statement.content
        else {
            if case .commit(let commit) = record.body, commit.origin == .native {
                throw RuleBroken("a site cannot vouch for data")
            }
            return nil
        }
        guard !revoked.contains(certificate.author) else { throw RuleBroken("its author was revoked") }
        guard certificate.vault == .none || (certificate.vault == vault && record.number >= certificate.fromRecord)
        else {
            throw RuleBroken("its author is certified for another vault or later records")
        }
        switch (record.body, certificate.role) {
        case (.commit(let commit), .writer) where commit.origin == .native: break
        case (.claim, _), (.release, _): break
        case (.damaged, .reader): break
        default: throw RuleBroken("a \(record.body.title) is outside its author's role")
        }
        return certificate
    }

    // MARK: - Commit

    private mutating func judge(
        _ commit: RecordBody.Commit, _ record: Record, _ author: Certificate?, _ evidence: Evidence
    ) throws {
        let digest = commit.manifest.name.digest
        guard let clear = try? ClearPart(commit.clear), clear.repository == repository else {
            throw RuleBroken("its manifest's clear part cannot be read")
        }
        guard commit.manifest.name.kind == .manifest else { throw RuleBroken("its manifest is none") }
        guard !forgotten.contains(digest) else {
            throw RuleBroken("a snapshot forgotten here is never committed again")
        }
        guard snapshots[digest] == nil else { throw RuleBroken("the snapshot is committed already") }
        let isResealed = resealed[clear.session]?.envelopes.keys.max() ?? 0 >= oldestReader
        guard readers[clear.readerGeneration] != nil, clear.readerGeneration >= oldestReader || isResealed else {
            throw RuleBroken("it is sealed to a reader generation that is not in use")
        }
        if clear.leans.contains(where: { closedLeans.contains($0.snapshot) }) {
            throw RuleBroken("it leans on a template that was let go")
        }
        switch commit.origin {
        case .native:
            guard clear.session == commit.session else { throw RuleBroken("its manifest is of another session") }
            guard clear.readerGeneration == newestReader else {
                throw RuleBroken("it is not sealed to the newest readers")
            }
            try refuseRetired(clear)
            if clear.isStage {
                try judge(stage: clear)
                break
            }
            let last = newest[clear.desktop]
            guard clear.previous == last?.manifest else {
                throw RuleBroken("it does not name the desktop's last snapshot")
            }
            if let last, (clear.generation, clear.sequence) <= (last.generation, last.sequence) {
                throw RuleBroken("its generation and sequence do not exceed the desktop's last")
            }
        case .copied(let origin, _, _):
            guard origin != vault else { throw RuleBroken("a copy from the vault itself") }
            guard !clear.isStage else { throw RuleBroken("a stage is not copied") }
        }
        let listed = try commit.objects.objects(evidence.listings)
        let new = try newObjects(commit, listed)
        // Of a page that cannot be read nobody knows what it lists.
        if evidence.listings != nil || commit.objects.pages.isEmpty {
            try cover(clear, new: new.map(\.name), listed: listed, evidence.sets)
        }
        for object in new { hold(object, since: record.number) }
        snapshots[digest] = Committed(
            record: record.number, manifest: commit.manifest, clear: clear, origin: commit.origin,
            author: author?.author, isForgotten: false)
        // Its session goes on, and it is in no desktop's order.
        if clear.isStage { return }
        let last = newest[clear.desktop]
        if last.map({ ($0.generation, $0.sequence) < (clear.generation, clear.sequence) }) ?? true {
            newest[clear.desktop] = Newest(
                generation: clear.generation, sequence: clear.sequence, manifest: digest)
        }
        // Session ids are no secret: nobody ends another's claim by writing its session's name.
        claims = claims.filter { $0.value.scope != .session(commit.session) || $0.value.owner != author?.author }
    }

    /// New objects must be the session's own, and the session must not have been given up; what a commit lists and
    /// the log holds already must be live.
    private func newObjects(_ commit: RecordBody.Commit, _ listed: [ObjectRef]) throws -> [ObjectRef] {
        guard !closedSessions.contains(commit.session) else { throw RuleBroken("the session's objects were condemned") }
        var new: [ObjectRef] = []
        for object in listed + commit.objects.pages + [commit.manifest] {
            if let held = objects[object.name] {
                guard held.status == .live, held.length == object.length else {
                    throw RuleBroken("\(object.name) is \(held.status)")
                }
            } else {
                guard object.name.session == commit.session else {
                    throw RuleBroken("\(object.name) is not in the log and not of the session")
                }
                new.append(object)
            }
        }
        return new
    }

    mutating func hold(_ object: ObjectRef, since record: UInt64) {
        objects[object.name] = Holding(length: object.length, since: record, status: .live, changed: record)
    }

    private mutating func holdPages(of listing: Listing, since record: UInt64) {
        for page in listing.pages where objects[page.name] == nil { hold(page, since: record) }
    }

    private mutating func change(_ name: ObjectName, to status: Holding.Status, record: UInt64) {
        objects[name]?.status = status
        objects[name]?.changed = record
    }

    /// Everything the manifest leans on is live here.
    private func cover(
        _ clear: ClearPart, new: [ObjectName], listed: [ObjectRef], _ pages: (any PageSource)?
    ) throws {
        let fresh = Set(new.map { Kept(kind: $0.kind, digest: $0.digest) })
        func isLive(_ kind: ObjectKind, _ digest: Digest) -> Bool {
            fresh.contains(Kept(kind: kind, digest: digest))
                || objects.names(of: digest).contains { $0.kind == kind && objects[$0]?.status == .live }
        }
        for set in clear.sets where !isLive(.set, set) { throw RuleBroken("set \(set) is not live") }
        for reference in clear.envelopes where !wraps(of: reference).contains(where: { isLive(.envelope, $0) }) {
            throw RuleBroken("envelope \(reference.envelope) is not live")
        }
        guard let pages else { return }
        let named = moved.isEmpty ? [] : Set(listed.map(\.name.digest))
        for root in try roots(of: clear, new: new, pages) {
            for pack in packs(for: root) {
                guard isLive(.pack, pack) else { throw RuleBroken("pack \(pack) is not live") }
                // What was repacked leaves out what nobody needed then. Who does not say that it knows, may lean on that.
                guard moved[root] == nil || named.contains(pack) else {
                    throw RuleBroken("pack \(root) was moved to \(pack), which it does not list")
                }
            }
        }
    }

    private struct Kept: Hashable {
        var kind: ObjectKind
        var digest: Digest
    }

    // MARK: - Forget, condemn, relocate

    private mutating func forget(_ digests: [Digest]) throws {
        let running = Set(
            claims.values.compactMap { if case .machine(let snapshot) = $0.scope { snapshot } else { nil } })
        for digest in digests {
            guard !running.contains(digest) else { throw RuleBroken("a machine runs on snapshot \(digest)") }
            guard snapshots[digest] != nil || forgotten.contains(digest) else {
                throw RuleBroken("snapshot \(digest) is not committed here")
            }
        }
        for digest in digests {
            snapshots[digest]?.isForgotten = true
            forgotten.insert(digest)
        }
    }

    private mutating func condemn(_ listed: [ObjectRef], record: UInt64, _ pages: (any PageSource)?) throws {
        let needs = try pages.map { try Needs(self, $0) }
        let going = Set(listed.map(\.name))
        for name in going {
            // A second copy of a needed object may go while a live one stays.
            if let needs, needs.contains(name.digest), objects[name] != nil, !isLive(name, leavingOut: going) {
                throw RuleBroken("\(name) is needed")
            }
            if name == checkpoint?.object { throw RuleBroken("\(name) is the last checkpoint") }
            if isClaimed(name) { throw RuleBroken("\(name) is claimed by a session") }
            if name.kind == .page, let held = objects[name], held.since > checkpoint?.state ?? 0 {
                throw RuleBroken("\(name) is read by records after the last checkpoint")
            }
        }
        for object in listed {
            // Its session puts nothing new under its names any more, whatever it still believes.
            closedSessions.insert(object.name.session)
            if objects[object.name] == nil { hold(object, since: record) }
            change(object.name, to: .condemned, record: record)
        }
    }

    /// Whether another copy of the object stays.
    private func isLive(_ name: ObjectName, leavingOut going: Set<ObjectName>) -> Bool {
        objects.names(of: name.digest).contains {
            $0.kind == name.kind && !going.contains($0) && objects[$0]?.status == .live
        }
    }

    /// A session claim holds everything in the log at its record, and everything the session wrote.
    private func isClaimed(_ name: ObjectName) -> Bool {
        claims.values.contains { claim in
            guard case .session(let session) = claim.scope else { return false }
            if session == name.session { return true }
            guard let held = objects[name] else { return false }
            return held.since <= claim.record && held.status != .condemned
        }
    }

    private mutating func relocate(
        _ relocations: [RecordBody.Relocation], counted: UInt64, record: UInt64, _ pages: (any PageSource)?
    ) throws {
        var neededLater: Set<Digest> = []
        let isRepair = relocations.allSatisfy { $0.repairs }
        for claim in claims.values where claim.record > counted && !isRepair {
            if case .session = claim.scope { throw RuleBroken("a session claimed what it would leave out") }
        }
        if let pages {
            let claimed = Set(claims.values.filter { $0.record > counted }.compactMap(\.scope.snapshot))
            for (digest, snapshot) in snapshots
            where claimed.contains(digest) || (snapshot.record > counted && !snapshot.isForgotten) {
                neededLater.formUnion(try needs(of: snapshot, pages))
            }
        }
        let roots = Set(relocations.map(\.root))
        guard roots.count == relocations.count else { throw RuleBroken("it moves a pack twice") }
        for relocation in relocations {
            guard relocation.repairs || !neededLater.contains(relocation.root) else {
                throw RuleBroken("pack \(relocation.root) is needed since record \(counted)")
            }
            for object in relocation.objects {
                guard object.name.kind == .pack || object.name.kind == .segment,
                    objects[object.name].map({ $0.status == .live }) ?? !closedSessions.contains(object.name.session)
                else { throw RuleBroken("\(object.name) is no live pack") }
                guard object.name.kind == .pack else { continue }
                // So that no chain of moves comes back to where it began.
                let target = object.name.digest
                guard target == relocation.root || (moved[target] == nil && !roots.contains(target)) else {
                    throw RuleBroken("\(object.name) was moved itself")
                }
            }
            guard !relocation.packs.isEmpty else { throw RuleBroken("pack \(relocation.root) would go") }
        }
        for relocation in relocations {
            for name in objects.names(of: relocation.root)
            where !relocation.objects.contains(where: { $0.name == name }) {
                change(name, to: .condemned, record: record)
            }
            for object in relocation.objects where objects[object.name] == nil { hold(object, since: record) }
            moved[relocation.root] = relocation.repairs ? nil : Moved(record: record, objects: relocation.packs)
        }
    }

    private mutating func collect(_ names: [ObjectName], _ pages: (any PageSource)?) throws {
        for name in names where objects[name]?.status != .condemned {
            throw RuleBroken("\(name) was not condemned")
        }
        try refuseClaimed(names.filter { $0.kind == .pack }, pages)
        for name in names where [.set, .manifest, .page].contains(name.kind) {
            // Readers that start at the last checkpoint must find what later records are judged by.
            guard let held = objects[name], let mark = checkpoint, mark.state >= held.changed else {
                throw RuleBroken("\(name) goes only after a checkpoint past its condemnation")
            }
        }
        for name in names {
            objects[name] = nil
            if name.kind == .manifest, snapshots[name.digest]?.isForgotten == true { snapshots[name.digest] = nil }
        }
        dropResealed(names)
    }

    /// What was relocated after a claim on a snapshot that needs it stays until the claim ends: its owner reads by
    /// the state in which it claimed.
    private func refuseClaimed(_ packs: [ObjectName], _ pages: (any PageSource)?) throws {
        guard let pages, !packs.isEmpty else { return }
        for claim in claims.values {
            guard let digest = claim.scope.snapshot, let snapshot = snapshots[digest] else { continue }
            let later = packs.filter { (objects[$0]?.changed ?? 0) > claim.record }
            guard !later.isEmpty else { continue }
            let needed = try needs(of: snapshot, pages)
            if let held = later.first(where: { needed.contains($0.digest) }) {
                throw RuleBroken("\(held) was relocated under a claim that stands")
            }
        }
    }

    // MARK: - Claims

    private mutating func add(_ claim: ClaimID, _ scope: RecordBody.ClaimScope, record: UInt64, _ author: Certificate?)
        throws
    {
        guard claims[claim] == nil else { throw RuleBroken("the claim exists already") }
        if let digest = scope.snapshot {
            guard let snapshot = snapshots[digest] else {
                throw RuleBroken("the claimed snapshot is not committed here")
            }
            guard !snapshot.isForgotten else { throw RuleBroken("the claimed snapshot is forgotten") }
        }
        if case .lean = scope, author != nil { throw RuleBroken("a lean is claimed by the site") }
        if case .machine = scope, author != nil { throw RuleBroken("a machine's claim is the site's") }
        claims[claim] = Claim(record: record, owner: author?.author, scope: scope)
    }

    private mutating func release(_ claim: ClaimID, _ author: Certificate?) throws {
        guard let held = claims[claim] else { throw RuleBroken("there is no such claim") }
        guard author == nil || held.owner == author?.author else { throw RuleBroken("the claim is another's") }
        claims[claim] = nil
    }

    // MARK: - The root's words

    private mutating func hear(_ statement: Statement) throws {
        guard statement.repository == repository, statement.verifies(root: charter.root) else {
            throw RuleBroken("the root did not say so")
        }
        switch statement.content {
        case .charter, .certificate, .resealed: throw RuleBroken("a statement that changes nothing")
        case .newGeneration(let generation, let reader):
            guard generation == newestReader + 1 else { throw RuleBroken("reader generations follow one another") }
            readers[generation] = reader
        case .retireGenerations(let below): try retire(below: below)
        case .revoke(let authors): revoked.formUnion(authors)
        case .destroyed:
            isDestroyed = true
            for digest in snapshots.keys {
                snapshots[digest]?.isForgotten = true
                forgotten.insert(digest)
            }
            claims = [:]
        case .acceptHead(let vault, let number, let hash):
            guard vault == self.vault else { throw RuleBroken("a head of another vault") }
            // It vouches for the log up to itself, and for nothing that is appended later.
            guard number == head, hash == headHash else { throw RuleBroken("it accepts another head than this one") }
            acceptedHeads[number] = hash
        }
    }
}
