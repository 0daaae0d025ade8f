import Platform
import Repository
import Sealing
import Support
import Testing

/// What is no record: strangers' signatures, other places, and bytes spelled otherwise than we spell them.
struct RecordEncodingRules {
    let world: RuleWorld
    init() throws { world = try RuleWorld() }

    private func read(_ bytes: [UInt8], number: UInt64 = 1) throws -> Record {
        try Record(
            bytes, repository: world.bundle.repository, vault: world.vault, number: number,
            site: world.site.verifying, root: world.bundle.root.verifying)
    }

    private func isRefused(_ bytes: [UInt8], number: UInt64 = 1) -> Bool {
        do {
            _ = try read(bytes, number: number)
            return false
        } catch { return (error as? Failure)?.code == .damaged }
    }

    /// One record of every kind.
    private func records() throws -> [Record] {
        let draft = world.draft()
        let bodies: [(RecordBody, RuleWorld.Signer)] = [
            (draft.body, .author(world.writer)), (.forget([world.random()]), .site),
            (world.condemn(draft.packs), .site),
            (.relocate([.init(root: world.random(), objects: draft.packs)], counted: 0), .site),
            (.collected(.paged(draft.packs)), .site), (.damaged(.inline(draft.packs)), .author(world.reader)),
            (world.claim(.session(draft.session)).body, .author(world.writer)),
            (world.claim(.lean(tenant: world.bundle.repository, snapshot: world.random())).body, .site),
            (.release(.random(world.surroundings)), .site), (try world.say(.revoke([world.writer.id])), .site),
            (world.checkpoint(), .site), (.void(3, hash: world.random()), .site),
            (.closeLean(template: world.bundle.repository, snapshot: world.random()), .site),
        ]
        return try bodies.map { try world.record($0.0, by: $0.1) }
    }

    @Test func everyKindReadsBackAsItWas() throws {
        for record in try records() { #expect(try read(record.bytes) == record) }
    }

    @Test func aRecordCutShortOrWithBytesTooManyIsRefused() throws {
        for record in try records() {
            for length in stride(from: 0, to: record.bytes.count, by: 5) {
                #expect(isRefused(Array(record.bytes.prefix(length))))
            }
            #expect(isRefused(record.bytes + [0]))
        }
    }

    @Test func aRecordWithAnyBitTurnedIsRefused() throws {
        let record = try #require(try records().first)
        for position in stride(from: 0, to: record.bytes.count, by: 3) {
            var bytes = record.bytes
            bytes[position] ^= 1 << UInt8(position % 8)
            #expect(isRefused(bytes))
        }
    }

    @Test func aRecordOfAnotherNumberVaultOrRepositoryIsRefused() throws {
        let record = try world.record(.forget([]), by: .site)
        #expect(isRefused(record.bytes, number: 2))
        #expect(throws: Failure(.damaged, "")) {
            try Record(
                record.bytes, repository: world.bundle.repository, vault: .random(world.surroundings), number: 1,
                site: world.site.verifying, root: world.bundle.root.verifying)
        }
        #expect(throws: Failure(.damaged, "")) {
            try Record(
                record.bytes, repository: RepositoryID(digest: world.random()), vault: world.vault, number: 1,
                site: world.site.verifying, root: world.bundle.root.verifying)
        }
    }

    @Test func aStrangersSignatureIsRefused() throws {
        let stranger = try SigningKey(random: world.surroundings)
        func forged(_ author: Record.Author) throws -> Record {
            try Record(
                repository: world.bundle.repository, vault: world.vault, number: 1, previous: world.genesis.hash,
                checkpoint: 0, author: author, body: .forget([]), key: stranger)
        }
        #expect(isRefused(try forged(.site).bytes))
        #expect(isRefused(try forged(.certified(world.writer.certificate)).bytes))
        // Certified by a root of its own.
        let other = try KeyBundle.make(surroundings: world.surroundings)
        let own = try other.certify(stranger.verifying, author: world.writer.id, role: .writer, subject: .session)
        #expect(isRefused(try forged(.certified(own)).bytes))
        // A statement of the root's that certifies nobody.
        #expect(isRefused(try forged(.certified(world.bundle.charter)).bytes))
    }

    @Test func aGenesisOfAnotherCharterIsRefused() throws {
        let other = try KeyBundle.make(surroundings: world.surroundings)
        let genesis = try Record(
            repository: world.bundle.repository, vault: world.vault, number: 0, previous: .zero, checkpoint: 0,
            author: .site, body: .genesis(charter: other.charter, site: world.site.verifying), key: world.site)
        #expect(throws: Failure(.damaged, "")) {
            try Record(
                genesis.bytes, repository: world.bundle.repository, vault: nil, number: 0, site: nil, root: nil)
        }
    }

    @Test func aRecordThatFollowsAnotherIsNotApplied() throws {
        let record = try world.record(.forget([]), by: .site)
        _ = try world.commit()
        #expect(throws: Failure(.damaged, "")) { try world.state.apply(record, pages: world.pages) }
    }

    @Test func aRecordLongerThanAMebibyteIsNotMade() throws {
        let digests = (0..<40_000).map { _ in world.random() }
        #expect(throws: Failure(.failed, "")) { try world.record(.forget(digests), by: .site) }
    }

    @Test func numbersHaveOneSpelling() throws {
        var decoder = CanonicalDecoder([0x80, 0x00], "a number")
        #expect(throws: Failure(.damaged, "")) { try decoder.number() }
        var tooLong = CanonicalDecoder([UInt8](repeating: 0xFF, count: 11), "a number")
        #expect(throws: Failure(.damaged, "")) { try tooLong.number() }
        var largest = CanonicalDecoder([UInt8](repeating: 0xFF, count: 9) + [1], "a number")
        #expect(try largest.number() == .max)
        var hugeList = CanonicalDecoder([0xFF, 0xFF, 0xFF, 0x07], "a list")
        #expect(throws: Failure(.damaged, "")) {
            try hugeList.list { (inner: inout CanonicalDecoder) throws(Failure) in try inner.byte() }
        }
    }

    @Test func eitherHalfOfAnObjectIsEnough() throws {
        let record = try world.record(.forget([]), by: .site)
        let object = Record.object(record.bytes)
        #expect(Record.Halves(object).both == [record.bytes, record.bytes])
        for position in object.indices {
            var bytes = object
            bytes[position] ^= 0x40
            let halves = Record.Halves(bytes)
            #expect(halves.both == [record.bytes] && halves.isHurt)
        }
        for length in [0, 1, 63, object.count / 2 - 1] {
            #expect(Record.Halves(Array(object.prefix(length))).both.isEmpty)
        }
    }
}
