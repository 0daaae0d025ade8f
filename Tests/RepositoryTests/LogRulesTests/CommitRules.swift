import Platform
import Repository
import Sealing
import Support
import Testing

/// The rules of a commit, one test a rule.
struct CommitRules {
    let world: RuleWorld
    init() throws { world = try RuleWorld() }

    private func reason(_ draft: RuleWorld.Draft, by signer: RuleWorld.Signer? = nil) throws -> String {
        try world.append(draft.body, by: signer ?? .author(world.writer)) ?? "effective"
    }

    @Test func aCommitOfItsOwnNewObjectsIsEffective() throws {
        let draft = try world.commit()
        #expect(world.state.snapshots[draft.snapshot]?.clear == draft.clear)
        #expect(draft.listed.allSatisfy { world.state.objects[$0.name]?.status == .live })
        #expect(world.state.newest[world.desktop]?.manifest == draft.snapshot)
    }

    @Test func aCommitMayLeanOnWhatIsLive() throws {
        let first = try world.commit()
        let second = try world.commit(leaning: [first.packs[0].name.digest])
        #expect(
            try world.state.needs(of: #require(world.state.snapshots[second.snapshot]), world.pages).contains(
                first.packs[0].name.digest))
    }

    @Test func aCommitThatListsACondemnedObjectIsVoid() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        #expect(try world.append(world.condemn([first.packs[0]])) == nil)
        var draft = world.draft()
        draft.listed.append(first.packs[0])
        #expect(try reason(draft).contains("is condemned"))
    }

    @Test func aCommitThatLeansOnACondemnedPackIsVoid() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        try world.append(world.condemn([first.packs[0]]))
        #expect(try reason(world.draft(leaning: [first.packs[0].name.digest])).contains("is not live"))
    }

    @Test func aCommitThatLeansOnADamagedPackIsVoidUntilItIsRelocated() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        #expect(try world.append(.damaged(.inline([first.packs[0]]))) == nil)
        #expect(try reason(world.draft(leaning: [root])).contains("is not live"))
        let repaired = world.object(.pack, world.session(), root)
        #expect(
            try world.append(.relocate([.init(root: root, objects: [repaired])], counted: world.state.head)) == nil)
        #expect(try reason(world.draft(leaning: [root])) == "effective")
    }

    @Test func aCommitThatListsADamagedObjectIsVoid() throws {
        let first = try world.commit()
        try world.append(.damaged(.inline([first.envelope])))
        var draft = world.draft()
        draft.listed.append(first.envelope)
        #expect(try reason(draft).contains("is damaged"))
    }

    @Test func aCommitOfAnotherSessionsUncommittedObjectIsVoid() throws {
        var draft = world.draft()
        draft.listed.append(world.object(.pack, world.session()))
        #expect(try reason(draft).contains("not of the session"))
    }

    @Test func aCommitThatGivesALiveObjectAnotherLengthIsVoid() throws {
        let first = try world.commit()
        var draft = world.draft()
        var lying = first.packs[0]
        lying.length += 1
        draft.listed.append(lying)
        #expect(try reason(draft).contains("is live"))
    }

    @Test func aCommitWhoseSetNamesAnUnknownPackIsVoid() throws {
        #expect(try reason(world.draft(leaning: [world.random()])).contains("is not live"))
    }

    @Test func aCommitWithoutItsSetIsVoid() throws {
        var draft = world.draft()
        draft.listed.removeAll { $0.name.kind == .set }
        #expect(try reason(draft).contains("set"))
    }

    @Test func aCommitWithoutItsEnvelopeIsVoid() throws {
        var draft = world.draft()
        draft.listed.removeAll { $0.name.kind == .envelope }
        #expect(try reason(draft).contains("envelope"))
    }

    @Test func aForgottenManifestIsNeverCommittedAgain() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        #expect(try reason(first).contains("forgotten here is never committed again"))
        var copied = first
        copied.origin = .copied(.random(world.surroundings), record: 4, hash: world.random())
        #expect(try reason(copied, by: .site).contains("forgotten here is never committed again"))
    }

    @Test func aManifestIsCommittedOnce() throws {
        let first = try world.commit()
        #expect(try reason(first).contains("committed already"))
    }

    @Test func aSiteCannotCommitNativeData() throws {
        #expect(try reason(world.draft(), by: .site).contains("cannot vouch for data"))
    }

    @Test func aReaderCannotCommit() throws {
        #expect(try reason(world.draft(), by: .author(world.reader)).contains("outside its author's role"))
    }

    @Test func aWriterCannotCommitACopy() throws {
        var draft = world.draft()
        draft.origin = .copied(.random(world.surroundings), record: 1, hash: world.random())
        #expect(try reason(draft).contains("outside its author's role"))
        #expect(try reason(draft, by: .site) == "effective")
    }

    @Test func aCopyFromTheVaultItselfIsVoid() throws {
        var draft = world.draft()
        draft.origin = .copied(world.vault, record: 1, hash: world.random())
        #expect(try reason(draft, by: .site).contains("from the vault itself"))
    }

    @Test func aNativeCommitNamesTheDesktopsLast() throws {
        _ = try world.commit()
        var draft = world.draft()
        draft.clear.previous = nil
        #expect(try reason(draft).contains("does not name the desktop's last"))
        draft.clear.previous = world.random()
        #expect(try reason(draft).contains("does not name the desktop's last"))
    }

    @Test func generationAndSequenceExceedTheDesktopsLast() throws {
        _ = try world.commit()
        var draft = world.draft()
        draft.clear.sequence = 1
        #expect(try reason(draft).contains("do not exceed"))
        draft.clear.generation = 0
        draft.clear.sequence = 99
        #expect(try reason(draft).contains("do not exceed"))
        draft.clear.generation = 2
        draft.clear.sequence = 1
        #expect(try reason(draft) == "effective")
    }

    @Test func aNativeCommitIsOfItsOwnSession() throws {
        var draft = world.draft()
        draft.clear.session = world.session()
        #expect(try reason(draft).contains("another session"))
    }

    @Test func aNativeCommitIsSealedToTheNewestReaders() throws {
        let late = world.draft()
        #expect(try world.append(world.say(.newGeneration(2, reader: world.surroundings.random(32)))) == nil)
        #expect(try reason(late).contains("newest readers"))
        #expect(try reason(world.draft()) == "effective")
    }

    @Test func aCopyMayBeSealedToAnOlderGenerationUntilItIsRetired() throws {
        var early = world.draft()
        early.origin = .copied(.random(world.surroundings), record: 1, hash: world.random())
        try world.append(world.say(.newGeneration(2, reader: world.surroundings.random(32))))
        var later = world.draft()
        later.origin = early.origin
        later.clear.readerGeneration = 1
        #expect(try reason(early, by: .site) == "effective")
        try world.append(.forget([early.snapshot]))
        #expect(try world.append(world.say(.retireGenerations(below: 2))) == nil)
        #expect(try reason(later, by: .site).contains("not in use"))
    }

    @Test func aCommitOfAnotherRepositorysManifestIsVoid() throws {
        var draft = world.draft()
        draft.clear.repository = RepositoryID(digest: world.random())
        #expect(try reason(draft).contains("cannot be read"))
    }

    @Test func aCommitThatLeansOnAClosedTemplateIsVoid() throws {
        let lean = ClearPart.Lean(template: RepositoryID(digest: world.random()), snapshot: world.random())
        var before = world.draft()
        before.clear.leans = [lean]
        #expect(try reason(before) == "effective")
        #expect(try world.append(.forget([before.snapshot])) == nil)
        #expect(try world.append(.closeLean(template: lean.template, snapshot: lean.snapshot)) == nil)
        var after = world.draft()
        after.clear.leans = [lean]
        #expect(try reason(after).contains("template that was let go"))
    }

    @Test func aTemplateThatIsLeantOnIsNotLetGo() throws {
        let lean = ClearPart.Lean(template: RepositoryID(digest: world.random()), snapshot: world.random())
        let closing = RecordBody.closeLean(template: lean.template, snapshot: lean.snapshot)
        var draft = world.draft()
        draft.clear.leans = [lean]
        #expect(try world.append(draft.body, by: .author(world.writer)) == nil)
        #expect(try world.append(closing)?.contains("leans on template") == true)
        // Also while somebody still reads what was forgotten.
        let reading = world.claim(.read(draft.snapshot))
        #expect(try world.append(reading.body, by: .author(world.reader)) == nil)
        #expect(try world.append(.forget([draft.snapshot])) == nil)
        #expect(try world.append(closing)?.contains("leans on template") == true)
        #expect(try world.append(.release(reading.id)) == nil)
        #expect(try world.append(closing) == nil)
    }

    @Test func aCommitByARevokedWriterIsVoid() throws {
        #expect(try world.append(world.say(.revoke([world.writer.id]))) == nil)
        #expect(try reason(world.draft()).contains("revoked"))
        #expect(try reason(world.draft(), by: .author(try world.author(.writer))) == "effective")
    }

    @Test func aCommitEndsItsSessionsClaimAndNobodyElses() throws {
        let session = world.session()
        let other = try world.author(.writer)
        let (claim, body) = world.claim(.session(session))
        try world.append(body, by: .author(other))
        // Somebody else commits under the session's name.
        #expect(try reason(world.draft(session: session)) == "effective")
        #expect(world.state.claims[claim] != nil)
        #expect(try reason(world.draft(session: session), by: .author(other)) == "effective")
        #expect(world.state.claims[claim] == nil)
    }

    @Test func aSessionOfWhichAnOrphanWasCondemnedCommitsNothing() throws {
        let draft = world.draft()
        #expect(try world.append(world.condemn([draft.packs[0]])) == nil)
        #expect(try reason(draft).contains("condemned"))
        // Nor when the collector is done and the name has left the state.
        #expect(try world.append(.collected(.inline([draft.packs[0]]))) == nil)
        #expect(world.state.objects[draft.packs[0].name] == nil)
        #expect(try reason(draft).contains("session's objects were condemned"))
    }
}
