import Platform
import Repository
import Sealing
import Support
import Testing

/// The rules of stages: what an unfinished session has stored is kept, and is nothing that anybody restores.
struct StageRules {
    let world: RuleWorld
    init() throws { world = try RuleWorld() }

    private func stage(leaning: [Digest] = [], session: SessionID? = nil) -> RuleWorld.Draft {
        var draft = world.draft(leaning: leaning, session: session)
        draft.clear.streams = []
        draft.clear.previous = nil
        draft.clear.generation = 0
        draft.clear.sequence = 0
        return draft
    }

    private func reason(_ draft: RuleWorld.Draft, by signer: RuleWorld.Signer? = nil) throws -> String {
        try world.append(draft.body, by: signer ?? .author(world.writer)) ?? "effective"
    }

    @Test func aStageKeepsWhatItNamesAndIsNoRecoveryPoint() throws {
        let first = try world.commit()
        let draft = stage()
        #expect(try reason(draft) == "effective")
        #expect(world.state.recoveryPoints.map(\.manifest.name.digest) == [first.snapshot])
        #expect(world.state.stages.map(\.manifest.name.digest) == [draft.snapshot])
        for object in draft.listed + [draft.manifest] {
            #expect(try world.append(world.condemn([object]))?.contains("is needed") == true)
        }
        #expect(world.state.envelopes[draft.session] == draft.envelope.name.digest)
        #expect(try reason(world.draft(leaning: [draft.packs[0].name.digest])) == "effective")
    }

    @Test func aStageIsInNoDesktopsOrder() throws {
        let first = try world.commit()
        for _ in 0..<3 { #expect(try reason(stage()) == "effective") }
        #expect(world.state.newest[world.desktop]?.manifest == first.snapshot)
        #expect(try reason(world.draft()) == "effective")
        var ordered = stage()
        ordered.clear.previous = world.state.newest[world.desktop]?.manifest
        #expect(try reason(ordered).contains("in no desktop's order"))
        ordered = stage()
        ordered.clear.sequence = 9
        #expect(try reason(ordered).contains("in no desktop's order"))
    }

    @Test func aStageDoesNotEndItsSessionsClaim() throws {
        let session = world.session()
        let (claim, body) = world.claim(.session(session))
        try world.append(body, by: .author(world.writer))
        #expect(try reason(stage(session: session)) == "effective")
        #expect(world.state.claims[claim] != nil)
        var whole = world.draft(session: session)
        whole.listed.removeAll { $0.name.kind == .envelope && world.state.objects[$0.name] != nil }
        #expect(try reason(whole) == "effective")
        #expect(world.state.claims[claim] == nil)
    }

    @Test func aStageObeysTheRulesOfEveryCommit() throws {
        #expect(try reason(stage(), by: .site).contains("cannot vouch for data"))
        #expect(try reason(stage(), by: .author(world.reader)).contains("outside its author's role"))
        #expect(try reason(stage(leaning: [world.random()])).contains("is not live"))
        var foreign = stage()
        foreign.listed.append(world.object(.pack, world.session()))
        #expect(try reason(foreign).contains("not of the session"))
        var copied = stage()
        copied.origin = .copied(.random(world.surroundings), record: 4, hash: world.random())
        #expect(try reason(copied, by: .site).contains("a stage is not copied"))
        let condemned = stage()
        #expect(try world.append(world.condemn([condemned.packs[0]])) == nil)
        #expect(try reason(condemned).contains("condemned"))
    }

    @Test func aStageIsForgottenLikeASnapshot() throws {
        let draft = stage()
        #expect(try reason(draft) == "effective")
        #expect(try world.append(.forget([draft.snapshot])) == nil)
        #expect(world.state.stages.isEmpty)
        #expect(try world.append(world.condemn(draft.listed + [draft.manifest])) == nil)
        #expect(try reason(draft).contains("never committed again"))
    }

    @Test func stagesAreSupersededByTheirSessionAndByTheirDesktop() throws {
        let early = stage()
        #expect(try reason(early) == "effective")
        #expect(world.state.supersededStages == [])
        // A later session of the desktop has leant on what it wanted.
        _ = try world.commit()
        #expect(world.state.supersededStages == [early.snapshot])
        let later = stage()
        #expect(try reason(later) == "effective")
        #expect(world.state.supersededStages == [early.snapshot])
        var own = world.draft(session: later.session)
        own.clear.desktop = .random(world.surroundings)
        own.clear.previous = nil
        own.clear.sequence = 1
        #expect(try reason(own) == "effective")
        #expect(Set(world.state.supersededStages) == [early.snapshot, later.snapshot])
    }

    @Test func aRevokedWritersStageIsNotLeantOn() throws {
        let author = try world.author(.writer)
        let draft = stage()
        #expect(try reason(draft, by: .author(author)) == "effective")
        #expect(world.state.distrustedSessions.isEmpty && world.state.supersededStages.isEmpty)
        #expect(try world.append(world.say(.revoke([author.id]))) == nil)
        #expect(world.state.distrustedSessions == [draft.session])
        #expect(world.state.supersededStages == [draft.snapshot])
    }

    @Test func aRepositoryThatDoesNotRequireStagesHasNone() throws {
        guard case .charter(var charter) = world.bundle.charter.content else { throw Failure(.failed, "no charter") }
        charter.features = ["breakwater-1"]
        let old = try Statement(.charter(charter), of: world.bundle.repository, root: world.bundle.root)
        let genesis = try Record(
            repository: world.bundle.repository, vault: world.vault, number: 0, previous: .zero, checkpoint: 0,
            author: .site, body: .genesis(charter: old, site: world.site.verifying), key: world.site)
        world.state = try LogState(genesis: genesis)
        #expect(try reason(stage()).contains("does not require stages"))
        #expect(try reason(world.draft()) == "effective")
    }

    @Test func aStateWithStagesReadsBackFromItsCheckpoint() throws {
        let genesis = world.state
        _ = try world.commit()
        for _ in 0..<2 { #expect(try reason(stage()) == "effective") }
        #expect(try LogState(checkpoint: try world.state.checkpointBytes(), genesis: genesis) == world.state)
    }
}
