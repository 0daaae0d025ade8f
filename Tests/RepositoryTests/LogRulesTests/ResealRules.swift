import Platform
import Repository
import Sealing
import Support
import Testing

/// Envelopes beside the first ones: who says so, what is needed then, and when the first may go.
struct ResealRules {
    let world: RuleWorld
    init() throws { world = try RuleWorld() }

    private func reason(_ body: RecordBody, by signer: RuleWorld.Signer = .site) throws -> String {
        try world.append(body, by: signer) ?? "effective"
    }

    private func rotate(to generation: UInt32 = 2) throws {
        #expect(
            try reason(world.say(.newGeneration(generation, reader: world.surroundings.random(32)))) == "effective")
    }

    private func reseal(
        _ sessions: [SessionID], to generation: UInt32 = 2, root: SigningKey? = nil
    ) throws -> (body: RecordBody, objects: [ObjectRef]) {
        let own = world.session()
        let objects = sessions.map { _ in world.object(.envelope, own) }
        let said = zip(sessions, objects).map { Statement.Resealed(session: $0, envelope: $1.name.digest) }
        let statement = try Statement(
            .resealed(generation, said), of: world.bundle.repository, root: root ?? world.bundle.root)
        return (.reseal(statement, objects), objects)
    }

    private func needs(_ draft: RuleWorld.Draft) throws -> Set<Digest> {
        try world.state.needs(of: #require(world.state.snapshots[draft.snapshot]), world.pages)
    }

    @Test func onlyTheRootSaysWhichEnvelopesThereAre() throws {
        let first = try world.commit()
        try rotate()
        let stranger = try SigningKey(random: world.surroundings)
        #expect(try reason(reseal([first.session], root: stranger).body).contains("did not say so"))
        #expect(try reason(reseal([first.session]).body, by: .author(world.writer)).contains("role"))
        #expect(try reason(reseal([first.session], to: 3).body).contains("not in use"))
        let (body, objects) = try reseal([first.session])
        guard case .reseal(let statement, _) = body else { return }
        #expect(try reason(.reseal(statement, [world.object(.envelope, world.session())])).contains("no envelope"))
        #expect(try reason(.statement(statement)).contains("changes nothing"))
        #expect(try reason(body) == "effective")
        #expect(world.state.objects[objects[0].name]?.status == .live)
    }

    @Test func bothEnvelopesAreNeededUntilTheOldGenerationGoes() throws {
        let first = try world.commit()
        try rotate()
        let (body, objects) = try reseal([first.session])
        #expect(try reason(body) == "effective")
        #expect(try needs(first).isSuperset(of: [first.envelope.name.digest, objects[0].name.digest]))
        #expect(try reason(world.condemn([first.envelope])).contains("is needed"))
        #expect(try reason(world.condemn(objects)).contains("is needed"))
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
        #expect(try !needs(first).contains(first.envelope.name.digest))
        #expect(try reason(world.condemn(objects)).contains("is needed"))
        #expect(try reason(world.condemn([first.envelope])) == "effective")
        #expect(try reason(.collected(.inline([first.envelope]))) == "effective")
    }

    @Test func aGenerationGoesOnlyWhenEverythingNeededHasTheNewOne() throws {
        let first = try world.commit()
        let second = try world.commit(leaning: first.packs.map(\.name.digest))
        try rotate()
        #expect(try reason(reseal([first.session]).body) == "effective")
        #expect(try reason(world.say(.retireGenerations(below: 2))).contains("is sealed to a generation"))
        #expect(try reason(reseal([second.session]).body) == "effective")
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
        #expect(world.state.oldestReader == 2)
    }

    @Test func aSessionLeanedOnCountsAlsoWhenItsOwnSnapshotIsForgotten() throws {
        let first = try world.commit()
        var second = world.draft(leaning: first.packs.map(\.name.digest))
        second.clear.envelopes.append(
            .init(session: first.session, envelope: first.envelope.name.digest))
        second.clear.envelopes.sort()
        #expect(try reason(second.body, by: .author(world.writer)) == "effective")
        #expect(try reason(.forget([first.snapshot])) == "effective")
        try rotate()
        #expect(try reason(reseal([second.session]).body) == "effective")
        #expect(try reason(world.say(.retireGenerations(below: 2))).contains("is sealed to a generation"))
        #expect(try reason(reseal([first.session]).body) == "effective")
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
    }

    @Test func nobodyLeansOnWhatIsSealedToARetiredGeneration() throws {
        let first = try world.commit()
        #expect(try reason(.forget([first.snapshot])) == "effective")
        try rotate()
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
        #expect(world.state.envelopes[first.session] == nil)
        var draft = world.draft(leaning: first.packs.map(\.name.digest))
        draft.clear.envelopes.append(.init(session: first.session, envelope: first.envelope.name.digest))
        draft.clear.envelopes.sort()
        #expect(try reason(draft.body, by: .author(world.writer)).contains("generation in use"))
    }

    @Test func aWriterNamesTheNewestEnvelopeOfWhatItLeansOn() throws {
        let first = try world.commit()
        try rotate()
        let (body, objects) = try reseal([first.session])
        #expect(try reason(body) == "effective")
        #expect(world.state.envelopes[first.session] == objects[0].name.digest)
        // A copy names the first one, which may be gone by now: the newer one serves for it.
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
        #expect(try reason(world.condemn([first.envelope])) == "effective")
        var copied = world.draft(leaning: first.packs.map(\.name.digest))
        copied.clear.envelopes.append(.init(session: first.session, envelope: first.envelope.name.digest))
        copied.clear.envelopes.sort()
        copied.origin = .copied(.random(world.surroundings), record: 1, hash: .zero)
        #expect(try reason(copied.body) == "effective")
    }

    @Test func aCheckpointHoldsWhatWasSealedAnew() throws {
        let first = try world.commit()
        let genesis = try LogState(genesis: world.genesis)
        #expect(try LogState(checkpoint: world.state.checkpointBytes(), genesis: genesis) == world.state)
        try rotate()
        #expect(try reason(reseal([first.session]).body) == "effective")
        #expect(try LogState(checkpoint: world.state.checkpointBytes(), genesis: genesis) == world.state)
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
        #expect(try LogState(checkpoint: world.state.checkpointBytes(), genesis: genesis) == world.state)
    }

    @Test func theRecordReadsBackAsItWas() throws {
        let (body, _) = try reseal([world.session(), world.session()], to: 1)
        let record = try world.record(body, by: .site)
        let read = try Record(
            record.bytes, repository: world.bundle.repository, vault: world.vault, number: record.number,
            site: world.site.verifying, root: world.bundle.root.verifying)
        #expect(read == record)
        for length in stride(from: 0, to: record.bytes.count, by: 5) {
            #expect(throws: Failure(.damaged, "")) {
                try Record(
                    Array(record.bytes.prefix(length)), repository: world.bundle.repository, vault: world.vault,
                    number: record.number, site: world.site.verifying, root: world.bundle.root.verifying)
            }
        }
    }
}
