import Platform
import Repository
import Sealing
import Support
import Testing

/// What may be forgotten, condemned, moved and collected, and what may not.
struct CollectionRules {
    let world: RuleWorld
    init() throws { world = try RuleWorld() }

    private func reason(_ body: RecordBody, by signer: RuleWorld.Signer = .site) throws -> String {
        try world.append(body, by: signer) ?? "effective"
    }

    private func relocate(_ root: Digest, to objects: [ObjectRef], counted: UInt64? = nil) -> RecordBody {
        .relocate([.init(root: root, objects: objects)], counted: counted ?? world.state.head)
    }

    // MARK: - Forget

    @Test func onlyTheSiteForgets() throws {
        let first = try world.commit()
        #expect(try reason(.forget([first.snapshot]), by: .author(world.writer)).contains("outside its author's role"))
        #expect(try reason(.forget([first.snapshot])) == "effective")
        #expect(world.state.forgotten == [first.snapshot])
    }

    @Test func whatWasNeverCommittedIsNotForgotten() throws {
        #expect(try reason(.forget([world.random()])).contains("not committed here"))
    }

    @Test func aSnapshotUnderAMachineIsNotForgotten() throws {
        let first = try world.commit()
        let (claim, body) = world.claim(.machine(first.snapshot))
        #expect(try reason(body) == "effective")
        #expect(try reason(.forget([first.snapshot])).contains("a machine runs"))
        #expect(try reason(.release(claim)) == "effective")
        #expect(try reason(.forget([first.snapshot])) == "effective")
    }

    // MARK: - Condemn

    @Test func writersAndReadersCondemnNothing() throws {
        let orphan = world.object(.pack, world.session())
        for author in [world.writer, world.reader] {
            #expect(try reason(world.condemn([orphan]), by: .author(author)).contains("outside its author's role"))
        }
    }

    @Test func whatASnapshotNeedsIsNotCondemned() throws {
        let first = try world.commit()
        for object in first.listed + [first.manifest] {
            #expect(try reason(world.condemn([object])).contains("is needed"))
        }
        try world.append(.forget([first.snapshot]))
        #expect(try reason(world.condemn(first.listed + [first.manifest])) == "effective")
    }

    @Test func whatACommitAfterTheCountNeedsIsNotCondemned() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        let counted = world.state.head
        _ = try world.commit(leaning: [first.packs[0].name.digest])
        #expect(try reason(.condemn(.inline([first.packs[0]]), counted: counted)).contains("is needed"))
    }

    @Test(arguments: [false, true]) func whatAClaimNeedsIsNotCondemned(machine: Bool) throws {
        let first = try world.commit()
        let (claim, body) = world.claim(machine ? .machine(first.snapshot) : .read(first.snapshot))
        try world.append(body)
        if !machine { try world.append(.forget([first.snapshot])) }
        #expect(try reason(world.condemn([first.packs[0]])).contains("is needed"))
        try world.append(.release(claim))
        if machine { try world.append(.forget([first.snapshot])) }
        #expect(try reason(world.condemn([first.packs[0]])) == "effective")
    }

    @Test func aSessionClaimHoldsWhatWasThereAndWhatTheSessionWrote() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        let session = world.session()
        let (claim, body) = world.claim(.session(session))
        try world.append(body, by: .author(world.writer))
        #expect(try reason(world.condemn([first.packs[0]])).contains("claimed by a session"))
        #expect(try reason(world.condemn([world.object(.pack, session)])).contains("claimed by a session"))
        #expect(try reason(world.condemn([world.object(.pack, world.session())])) == "effective")
        // Comfort only: the collector may let go of it.
        #expect(try reason(.release(claim)) == "effective")
        #expect(try reason(world.condemn([first.packs[0]])) == "effective")
    }

    @Test func oneOfTwoCopiesMayGo() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        var second = world.draft()
        let copy = world.object(.pack, second.session, root)
        second.listed.append(copy)
        #expect(try world.append(second.body, by: .author(world.writer)) == nil)
        #expect(try reason(world.condemn([copy, first.packs[0]])).contains("is needed"))
        #expect(try reason(world.condemn([copy])) == "effective")
        #expect(try reason(world.condemn([first.packs[0]])).contains("is needed"))
    }

    @Test func aCountAtARecordToComeIsVoid() throws {
        let body = RecordBody.condemn(.inline([world.object(.pack, world.session())]), counted: world.state.head + 1)
        #expect(try reason(body).contains("to come"))
    }

    @Test func theLastCheckpointIsNotCondemned() throws {
        _ = try world.commit()
        try world.append(world.checkpoint())
        let name = try #require(world.state.checkpoint?.object)
        #expect(try reason(world.condemn([ObjectRef(name: name, length: 1)])).contains("last checkpoint"))
    }

    @Test func aListInPagesIsReadFromThem() throws {
        let orphans = (0..<3).map { _ in world.object(.pack, world.session()) }
        let digest = world.pages.put(Listing.page(orphans))
        let page = world.object(.page, world.session(), digest)
        #expect(try reason(.condemn(.paged([page]), counted: world.state.head)) == "effective")
        #expect(orphans.allSatisfy { world.state.objects[$0.name]?.status == .condemned })
        #expect(try reason(world.condemn([page])).contains("read by records"))
    }

    // MARK: - Relocate

    @Test func aRepackedRootResolvesToItsNewPacks() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        let target = world.object(.pack, world.session())
        #expect(try reason(relocate(root, to: [target])) == "effective")
        #expect(world.state.packs(for: root) == [target.name.digest])
        #expect(world.state.objects[first.packs[0].name]?.status == .condemned)
        #expect(try reason(world.condemn([target])).contains("is needed"))
    }

    /// What was moved leaves out what nobody needed: only who says that it knows may lean on it.
    @Test func aCommitThatLeansOnAMovedRootListsWhatItWasMovedTo() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        let target = world.object(.pack, world.session())
        #expect(try reason(relocate(root, to: [target])) == "effective")
        var draft = world.draft(leaning: [root])
        #expect(try reason(draft.body, by: .author(world.writer)).contains("does not list"))
        draft.listed.append(target)
        #expect(try reason(draft.body, by: .author(world.writer)) == "effective")
    }

    @Test func aRepairedRootIsLeantOnAsBefore() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        #expect(try reason(relocate(root, to: [world.object(.pack, world.session(), root)])) == "effective")
        #expect(try reason(world.draft(leaning: [root]).body, by: .author(world.writer)) == "effective")
    }

    @Test func aRelocationBringsSegmentsAndTheRootResolvesToPacksOnly() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        let session = world.session()
        let (target, segment) = (world.object(.pack, session), world.object(.segment, session))
        #expect(try reason(relocate(root, to: [segment])).contains("would go"))
        #expect(try reason(relocate(root, to: [target, segment])) == "effective")
        #expect(world.state.packs(for: root) == [target.name.digest])
        #expect(world.state.objects[segment.name]?.status == .live)
    }

    @Test func aRootThatALaterCommitNeedsIsNotRepacked() throws {
        let first = try world.commit()
        let counted = world.state.head
        let root = first.packs[0].name.digest
        let later = try world.commit(leaning: [root])
        #expect(
            try reason(relocate(root, to: [world.object(.pack, world.session())], counted: counted)).contains(
                "is needed since"))
        // A repair leaves nothing out: the same root under a new name.
        #expect(
            try reason(relocate(root, to: [world.object(.pack, world.session(), root)], counted: counted))
                == "effective")
        try world.append(.forget([later.snapshot]))
        #expect(try reason(relocate(root, to: [world.object(.pack, world.session())], counted: counted)) == "effective")
    }

    @Test func aRootThatALaterClaimNeedsIsNotRepacked() throws {
        let first = try world.commit()
        let counted = world.state.head
        try world.append(world.claim(.read(first.snapshot)).body, by: .author(world.reader))
        let body = relocate(first.packs[0].name.digest, to: [world.object(.pack, world.session())], counted: counted)
        #expect(try reason(body).contains("is needed since"))
    }

    @Test func nothingIsRepackedPastALaterSession() throws {
        let first = try world.commit()
        let counted = world.state.head
        try world.append(world.claim(.session(world.session())).body, by: .author(world.writer))
        let body = relocate(first.packs[0].name.digest, to: [world.object(.pack, world.session())], counted: counted)
        #expect(try reason(body).contains("a session claimed"))
        let root = first.packs[0].name.digest
        #expect(
            try reason(relocate(root, to: [world.object(.pack, world.session(), root)], counted: counted))
                == "effective")
    }

    @Test func aPackMovesToLivePacksOnly() throws {
        let first = try world.commit()
        #expect(try reason(relocate(first.packs[0].name.digest, to: [])).contains("would go"))
        let gone = try world.commit()
        try world.append(.forget([gone.snapshot]))
        try world.append(world.condemn([gone.packs[0]]))
        #expect(try reason(relocate(first.packs[0].name.digest, to: [gone.packs[0]])).contains("no live pack"))
        #expect(try reason(relocate(first.packs[0].name.digest, to: [first.envelope])).contains("no live pack"))
    }

    @Test func movesDoNotGoInACircle() throws {
        let first = try world.commit(packs: 2)
        let (one, two) = (first.packs[0], first.packs[1])
        let both = RecordBody.relocate(
            [
                .init(root: one.name.digest, objects: [two]),
                .init(root: two.name.digest, objects: [world.object(.pack, world.session(), one.name.digest)]),
            ], counted: world.state.head)
        #expect(try reason(both).contains("was moved itself"))
        #expect(try reason(relocate(one.name.digest, to: [two])) == "effective")
        let back = world.object(.pack, world.session(), one.name.digest)
        #expect(try reason(relocate(two.name.digest, to: [back])).contains("was moved itself"))
        #expect(world.state.packs(for: one.name.digest) == [two.name.digest])
    }

    // MARK: - Collected

    @Test func onlyTheCondemnedIsCollected() throws {
        let first = try world.commit()
        #expect(try reason(.collected(.inline([first.packs[0]]))).contains("was not condemned"))
        try world.append(.forget([first.snapshot]))
        #expect(try reason(.collected(.inline([first.packs[0]]))).contains("was not condemned"))
        try world.append(world.condemn([first.packs[0]]))
        #expect(try reason(.collected(.inline([first.packs[0]]))) == "effective")
        #expect(world.state.objects[first.packs[0].name] == nil)
    }

    @Test func setsAndManifestsGoAfterACheckpointPastTheirCondemnation() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        try world.append(world.checkpoint())
        try world.append(world.condemn([first.set, first.manifest]))
        for object in [first.set, first.manifest] {
            #expect(try reason(.collected(.inline([object]))).contains("only after a checkpoint"))
        }
        try world.append(world.checkpoint())
        for object in [first.set, first.manifest] {
            #expect(try reason(.collected(.inline([object]))) == "effective")
        }
        #expect(world.state.snapshots[first.snapshot] == nil)
        #expect(world.state.forgotten.contains(first.snapshot))
    }

    @Test func whatWasRelocatedUnderAClaimStaysUntilItEnds() throws {
        let first = try world.commit()
        let (claim, body) = world.claim(.machine(first.snapshot))
        try world.append(body)
        #expect(
            try reason(relocate(first.packs[0].name.digest, to: [world.object(.pack, world.session())])) == "effective")
        #expect(try reason(.collected(.inline([first.packs[0]]))).contains("under a claim that stands"))
        try world.append(.release(claim))
        #expect(try reason(.collected(.inline([first.packs[0]]))) == "effective")
    }

    @Test func aCheckpointNeverGoesBack() throws {
        _ = try world.commit()
        _ = try world.commit()
        try world.append(world.checkpoint())
        let name = ObjectName(kind: .checkpoint, digest: world.random(), session: world.session())
        #expect(try reason(.checkpoint(name, state: 1)).contains("no newer"))
        #expect(try reason(.checkpoint(name, state: world.state.head + 1)).contains("to come"))
    }

    @Test func aRecordThatNamesAnOlderCheckpointIsVoid() throws {
        _ = try world.commit()
        try world.append(world.checkpoint())
        let record = try world.record(
            .closeLean(template: world.bundle.repository, snapshot: .zero), by: .site, checkpoint: 0)
        #expect(try world.state.apply(record, pages: world.pages) != .effective)
    }
}
