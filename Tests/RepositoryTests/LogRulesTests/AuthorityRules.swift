import Platform
import Repository
import Sealing
import Support
import Testing

/// Who may say what: roles, claims, the root's words, junk, and strangers.
struct AuthorityRules {
    let world: RuleWorld
    init() throws { world = try RuleWorld() }

    private func reason(_ body: RecordBody, by signer: RuleWorld.Signer = .site) throws -> String {
        try world.append(body, by: signer) ?? "effective"
    }

    // MARK: - Roles

    @Test func onlySitesAndReadersSayThatSomethingIsDamaged() throws {
        let first = try world.commit()
        let body = RecordBody.damaged(.inline([first.packs[0]]))
        #expect(try reason(body, by: .author(world.writer)).contains("outside its author's role"))
        #expect(try reason(body, by: .author(world.reader)) == "effective")
        #expect(world.state.objects[first.packs[0].name]?.status == .damaged)
    }

    /// The site is the key that the genesis names: a certificate of that role makes nobody one.
    @Test func nobodyElseDoesTheSitesWork() throws {
        let first = try world.commit()
        let root = first.packs[0].name.digest
        let bodies: [RecordBody] = [
            .forget([first.snapshot]), world.condemn([first.packs[0]]),
            .relocate([.init(root: root, objects: [first.packs[0]])], counted: 0), .collected(.inline([])),
            world.checkpoint(), .void(1, hash: .zero), .closeLean(template: world.bundle.repository, snapshot: .zero),
            try world.say(.destroyed),
        ]
        for author in [world.writer, world.reader, try world.author(.site)] {
            for body in bodies {
                #expect(try reason(body, by: .author(author)).contains("outside its author's role"))
            }
        }
        #expect(world.state.snapshots[first.snapshot]?.isForgotten == false)
    }

    @Test func aRevokedAuthorSaysNothing() throws {
        let first = try world.commit()
        #expect(try reason(world.say(.revoke([world.reader.id]))) == "effective")
        #expect(try reason(world.claim(.read(first.snapshot)).body, by: .author(world.reader)).contains("revoked"))
        #expect(try reason(world.claim(.read(first.snapshot)).body, by: .author(world.writer)) == "effective")
    }

    @Test func aCertificateHoldsForItsVaultAndFromItsRecord() throws {
        let first = try world.commit()
        let elsewhere = try world.author(.writer, vault: .random(world.surroundings))
        #expect(try reason(world.claim(.read(first.snapshot)).body, by: .author(elsewhere)).contains("another vault"))
        let later = try world.author(.writer, vault: world.vault, from: world.state.head + 3)
        #expect(try reason(world.claim(.read(first.snapshot)).body, by: .author(later)).contains("later records"))
        #expect(try reason(world.claim(.read(first.snapshot)).body, by: .author(later)).contains("later records"))
        #expect(try reason(world.claim(.read(first.snapshot)).body, by: .author(later)) == "effective")
    }

    // MARK: - Claims

    @Test func aForgottenSnapshotIsNotClaimed() throws {
        let first = try world.commit()
        try world.append(.forget([first.snapshot]))
        #expect(try reason(world.claim(.read(first.snapshot)).body).contains("is forgotten"))
        #expect(try reason(world.claim(.read(world.random())).body).contains("not committed here"))
    }

    @Test func machinesAndLeansAreClaimedByTheSite() throws {
        let first = try world.commit()
        let scopes: [RecordBody.ClaimScope] = [
            .machine(first.snapshot), .lean(tenant: RepositoryID(digest: world.random()), snapshot: first.snapshot),
        ]
        for scope in scopes {
            #expect(try reason(world.claim(scope).body, by: .author(world.writer)).contains("site"))
            #expect(try reason(world.claim(scope).body) == "effective")
        }
    }

    @Test func aClaimIsReleasedByItsOwnerOrTheSite() throws {
        let first = try world.commit()
        let (one, oneBody) = world.claim(.read(first.snapshot))
        let (two, twoBody) = world.claim(.read(first.snapshot))
        try world.append(oneBody, by: .author(world.reader))
        try world.append(twoBody)
        #expect(try reason(.release(one), by: .author(world.writer)).contains("another's"))
        #expect(try reason(.release(two), by: .author(world.writer)).contains("another's"))
        #expect(try reason(.release(one), by: .author(world.reader)) == "effective")
        #expect(try reason(.release(one), by: .author(world.reader)).contains("no such claim"))
        #expect(try reason(.release(two)) == "effective")
    }

    @Test func aClaimIsMadeOnce() throws {
        let first = try world.commit()
        let (_, body) = world.claim(.read(first.snapshot))
        try world.append(body)
        #expect(try reason(body).contains("exists already"))
    }

    // MARK: - The root's words

    @Test func whatTheRootDidNotSayCountsForNothing() throws {
        let stranger = try SigningKey(random: world.surroundings)
        let forged = try Statement(.destroyed, of: world.bundle.repository, root: stranger)
        #expect(try reason(.statement(forged)).contains("did not say so"))
        let other = try KeyBundle.make(surroundings: world.surroundings)
        let foreign = try Statement(.destroyed, of: other.repository, root: world.bundle.root)
        #expect(try reason(.statement(foreign)).contains("did not say so"))
        #expect(!world.state.isDestroyed)
    }

    @Test func readerGenerationsFollowOneAnother() throws {
        let key = world.surroundings.random(32)
        #expect(try reason(world.say(.newGeneration(3, reader: key))).contains("follow one another"))
        #expect(try reason(world.say(.newGeneration(1, reader: key))).contains("follow one another"))
        #expect(try reason(world.say(.newGeneration(2, reader: key))) == "effective")
        #expect(world.state.newestReader == 2)
    }

    @Test func aGenerationIsRetiredWhenNothingIsSealedToIt() throws {
        let first = try world.commit()
        #expect(try reason(world.say(.retireGenerations(below: 2))).contains("nothing to retire"))
        try world.append(world.say(.newGeneration(2, reader: world.surroundings.random(32))))
        #expect(try reason(world.say(.retireGenerations(below: 2))).contains("is sealed to a generation"))
        try world.append(.forget([first.snapshot]))
        #expect(try reason(world.say(.retireGenerations(below: 2))) == "effective")
        #expect(try reason(world.say(.retireGenerations(below: 2))).contains("nothing to retire"))
    }

    @Test func destructionForgetsEverythingAndLeavesOnlyTheCollector() throws {
        let first = try world.commit()
        try world.append(world.claim(.machine(first.snapshot)).body)
        #expect(try reason(world.say(.destroyed)) == "effective")
        #expect(world.state.snapshots[first.snapshot]?.isForgotten == true)
        #expect(world.state.claims.isEmpty)
        #expect(try reason(world.draft().body, by: .author(world.writer)).contains("was destroyed"))
        #expect(
            try reason(world.claim(.session(world.session())).body, by: .author(world.writer)).contains("was destroyed")
        )
        #expect(
            try reason(world.say(.newGeneration(2, reader: world.surroundings.random(32)))).contains("was destroyed"))
        #expect(try reason(world.condemn(first.listed)) == "effective")
        #expect(try reason(.collected(.inline(first.packs))) == "effective")
        #expect(try reason(world.checkpoint()) == "effective")
    }

    @Test func aCharterOrCertificateIsNoNews() throws {
        #expect(try reason(.statement(world.bundle.charter)).contains("changes nothing"))
        #expect(try reason(.statement(world.writer.certificate)).contains("changes nothing"))
    }

    @Test func anAcceptedHeadIsOfThisVault() throws {
        #expect(
            try reason(world.say(.acceptHead(vault: .random(world.surroundings), number: 0, hash: .zero))).contains(
                "another vault"))
        let head = world.genesis.hash
        #expect(try reason(world.say(.acceptHead(vault: world.vault, number: 1, hash: head))).contains("another head"))
        #expect(try reason(world.say(.acceptHead(vault: world.vault, number: 0, hash: head))).contains("another head"))
        #expect(
            try reason(world.say(.acceptHead(vault: world.vault, number: world.state.head, hash: world.state.headHash)))
                == "effective")
    }

    @Test func aSecondGenesisIsVoid() throws {
        #expect(
            try reason(.genesis(charter: world.bundle.charter, site: world.site.verifying)).contains("second genesis"))
    }

    // MARK: - Junk

    @Test func afterJunkNothingCountsButTheSitesVoidOfIt() throws {
        let first = try world.commit()
        let junk: [UInt8] = [1, 2, 3]
        let number = world.state.head + 1
        world.state.block(number: number, object: junk)
        #expect(try reason(world.draft().body, by: .author(world.writer)).contains("no void stands"))
        #expect(try reason(.forget([first.snapshot])).contains("no void stands"))
        #expect(try reason(.void(number, hash: .zero)).contains("no void stands"))
        let hash = Record.hash(ofUnverified: junk)
        #expect(try reason(.void(number, hash: hash), by: .author(world.writer)).contains("no void stands"))
        #expect(try reason(.void(number, hash: hash)) == "effective")
        #expect(try reason(.void(number, hash: hash)).contains("nothing to void"))
        #expect(try reason(world.draft().body, by: .author(world.writer)) == "effective")
    }

    // MARK: - Pages

    @Test func aRecordWhoseSetCannotBeReadIsTakenAndNotedAsUndecided() throws {
        let draft = world.draft()
        let record = try world.record(draft.body, by: .author(world.writer))
        world.pages.lose(draft.set.name.digest)
        let before = world.state
        #expect(throws: Failure(.notFound, "")) { try world.state.apply(record, pages: world.pages) }
        #expect(world.state == before)
        #expect(try world.state.apply(record, by: .init(listings: world.pages)) == .effective)
        #expect(world.state.undecided == [.init(record.number, .set)])
        #expect(world.state.snapshots[draft.snapshot] != nil)
    }

    // MARK: - Charter

    @Test func aRepositoryThatRequiresUnknownFeaturesIsRefused() throws {
        let root = try SigningKey(random: world.surroundings)
        guard case .charter(var charter) = world.bundle.charter.content else { throw Failure(.failed, "no charter") }
        charter.root = root.verifying
        charter.features.append("time-travel")
        let statement = try Statement(.charter(charter), of: charter.repository, root: root)
        let genesis = try Record(
            repository: charter.repository, vault: world.vault, number: 0, previous: .zero, checkpoint: 0,
            author: .site,
            body: .genesis(charter: statement, site: world.site.verifying), key: world.site)
        #expect(throws: Failure(.refused, "")) { try LogState(genesis: genesis) }
    }
}
