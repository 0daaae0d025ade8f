internal import ObjectStore
internal import Platform
internal import Sealing

/// Makes segments anew from the packs' own tables, where no vault has a whole copy of those that are damaged.
///
/// 1. See which needed packs no whole segment tells of. 2. Put segments that do, and bring them into the log by a
/// `relocate` of one of these packs to itself: that is a repair which moves nothing, and may carry segments.
/// 3. Condemn the damaged ones, once no session holds them: their bytes serve nobody.
///
/// It needs the index key, to seal; a reader's key, to open tables; the site's, to append.
struct SegmentRepair {
    private let repository: Repository
    private let isDryRun: Bool

    init(_ repository: Repository, isDryRun: Bool) {
        self.repository = repository
        self.isDryRun = isDryRun
    }

    func run(
        _ findings: [CheckReport.Finding], _ session: RepairSession, _ report: inout RepairReport
    ) throws {
        guard !findings.isEmpty else { return }
        let damaged = Set(findings.compactMap(\.name))
        let outcome: RepairReport.Item.Outcome
        do {
            outcome = try replace(damaged, session)
        } catch let failure as Failure where failure.isOfOneObject {
            outcome = .left(failure.what)
        }
        for finding in findings { report.add(finding, outcome) }
    }

    private func replace(_ damaged: Set<ObjectName>, _ session: RepairSession) throws -> RepairReport.Item.Outcome {
        guard repository.keys.secret != nil, !repository.keys.readers.isEmpty, repository.keys.site != nil else {
            return .left(
                "it is made anew from the packs with the passphrase; readers and writers do without it meanwhile")
        }
        guard !isDryRun else { return .healed("from the packs' own tables") }
        let state = try repository.log.refresh()
        let uncovered = try uncovered(state, without: damaged)
        if !uncovered.isEmpty { try publish(try seal(uncovered, state, try session.open()), uncovered) }
        // The session's own claim would hold them too.
        try session.close()
        try RepairSession.closeAll(repository)
        let after = try Collector(repository).appendUnlessNothing { state in
            let going = damaged.sorted().compactMap { name in
                state.objects[name].flatMap {
                    $0.status == .condemned ? nil : ObjectRef(name: name, length: $0.length)
                }
            }
            guard !going.isEmpty, !state.claims.values.contains(where: { $0.scope.session != nil }) else { return nil }
            return .condemn(.inline(going), counted: state.head)
        }
        guard
            after != nil || damaged.allSatisfy({ repository.log.state.objects[$0]?.status ?? .condemned == .condemned })
        else { return .left("what it told of stands in another by now; a backup that is under way still holds it") }
        return .healed("from the packs' own tables, under another name")
    }

    // MARK: - 1. What is not told of

    /// Live packs that are needed and that no whole segment lists, in order.
    private func uncovered(_ state: LogState, without damaged: Set<ObjectName>) throws(Failure) -> [ObjectName] {
        guard let secret = repository.keys.secret else { return [] }
        let needs = try Needs(state, repository.log.pages)
        var covered: Set<Digest> = []
        for (name, held) in state.objects
        where name.kind == .segment && held.status == .live && !damaged.contains(name) {
            do throws(Failure) {
                let bytes = try repository.objects.read(name)
                covered.formUnion(
                    try Segment(bytes, secret, repository: repository.id, name: name.path).packs.map(\.root))
            } catch {
                guard error.isOfOneObject else { throw error }
            }
        }
        let packs = state.objects.filter { name, held in
            name.kind == .pack && held.status == .live && state.moved[name.digest] == nil
                && needs.contains(name.digest) && !covered.contains(name.digest)
        }
        var seen: Set<Digest> = []
        return packs.map(\.key).sorted().filter { seen.insert($0.digest).inserted }
    }

    // MARK: - 2. New segments

    private func seal(_ packs: [ObjectName], _ state: LogState, _ session: SessionID) throws(Failure) -> [ObjectRef] {
        guard let secret = repository.keys.secret else { return [] }
        let opener = PackOpener(repository, envelopes: state.envelopes)
        var references: [ObjectRef] = []
        var open = Segment(packs: [], entries: [])
        func close() throws(Failure) {
            guard !open.packs.isEmpty else { return }
            open.entries.sort { ($0.id, $0.pack) < ($1.id, $1.pack) }
            let bytes = try open.seal(
                secret, repository: repository.id, salt: repository.surroundings.random(32))
            references.append(try Repository.put(bytes, as: .segment, session: session, repository.store))
            open = Segment(packs: [], entries: [])
        }
        for name in packs {
            let contents: (origin: SessionID, table: PackTable)
            do throws(Failure) {
                contents = try opener.contents(name.digest)
            } catch {
                // A damaged pack has no table to tell of.
                guard error.isOfOneObject else { throw error }
                continue
            }
            open.entries += contents.table.entries(pack: UInt32(open.packs.count))
            open.packs.append(.init(root: name.digest, origin: contents.origin))
            if open.entries.count >= Segment.mostEntries { try close() }
        }
        try close()
        return references
    }

    private func publish(_ segments: [ObjectRef], _ packs: [ObjectName]) throws {
        guard !segments.isEmpty else { return }
        _ = try Collector(repository).appendUnlessNothing { state in
            // One of the packs that is as it was: it is moved to where it is.
            for pack in packs where state.moved[pack.digest] == nil {
                let live = state.names(of: .pack, pack.digest).compactMap { name in
                    state.objects[name].flatMap {
                        $0.status == .live ? ObjectRef(name: name, length: $0.length) : nil
                    }
                }
                guard !live.isEmpty else { continue }
                let move = RecordBody.Relocation(root: pack.digest, objects: live + segments)
                return .relocate([move], counted: state.head)
            }
            return nil
        }
    }
}
