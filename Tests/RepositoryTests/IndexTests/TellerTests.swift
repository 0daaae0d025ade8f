import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// What a stolen writer's segment tells is not believed any more once the writer is revoked, though it tells of an honest
/// pack, and though a kept index has taken it in.
struct TellerTests {
    @Test func aRevokedWritersWordIsNotTakenForAChunk() throws {
        let estate = try Estate(seed: 50)
        let state = try TemporaryDirectory("state")
        let resources = Resources(indexes: state("index"), scratch: state.path)
        _ = try estate.backUp(estate.bytes(5000), name: "desk")
        let owner = try estate.open(resources: resources)
        let honest = try #require(try owner.loadIndex(for: .writing).index.packs.first)
        let lie = ChunkID(SHA256.hash(estate.bytes(10)))

        let thief = try openAsThief(estate)
        let session = SessionID.random(estate.surroundings)
        let segment = Segment(
            packs: [.init(root: honest.root, origin: honest.origin)],
            entries: [
                SegmentEntry(id: lie, pack: 0, frame: 0, offset: 88, sealedLength: 100, inside: 0, length: 10)
            ])
        let author = try commit(segment, of: session, by: thief, estate)

        func isKnown(_ resources: Resources) throws -> Bool {
            try estate.open(resources: resources).loadIndex(for: .writing).index.find(lie, in: { _ in true }) != nil
        }
        // Only a keyed check would notice, until somebody knows better.
        #expect(try isKnown(resources) && isKnown(Resources()))
        try owner.appendAsSite { _ in
            .statement(try Statement(.revoke([author]), of: owner.id, root: estate.bundle.root))
        }
        #expect(try !isKnown(Resources()))
        #expect(try !isKnown(resources))
    }

    private func openAsThief(_ estate: Estate) throws -> Repository {
        let key = try SigningKey(random: estate.surroundings)
        let certificate = try estate.bundle.certify(
            key.verifying, author: .random(estate.surroundings), role: .writer, subject: .session)
        let keys = Keys(
            writerSecret: estate.bundle.writerSecret, repository: estate.bundle.repository,
            author: .init(key: key, certificate: certificate), site: nil)
        return try Repository.open(
            estate.store, .granted(keys), expecting: estate.bundle.repository, heads: NoHeadMemory(),
            surroundings: estate.surroundings)
    }

    /// A commit of a segment alone, as a stage.
    private func commit(
        _ segment: Segment, of session: SessionID, by repository: Repository, _ estate: Estate
    ) throws -> AuthorID {
        let surroundings = estate.surroundings
        let author = try #require(repository.keys.author)
        let secret = try #require(repository.keys.secret)
        let state = repository.log.state
        let dataKey = surroundings.random(32)
        let envelope = try Repository.put(
            try Envelope.seal(
                dataKey: dataKey, repository: repository.id, session: session, generation: state.newestReader,
                reader: try #require(state.readers[state.newestReader]), writer: author.key.verifying,
                ephemeral: surroundings.random(32)
            ).bytes, as: .envelope, session: session, estate.store)
        let told = try Repository.put(
            try segment.seal(secret, repository: repository.id, salt: surroundings.random(32)), as: .segment,
            session: session, estate.store)
        let clear = ClearPart(
            repository: repository.id, desktop: secret.desktop(named: "desk"), generation: 0, sequence: 0,
            previous: nil, consistency: .crash, readerGeneration: state.newestReader, streams: [], sets: [], leans: [],
            envelopes: [.init(session: session, envelope: envelope.name.digest)], session: session,
            salt: surroundings.random(32))
        let part = SealedPart(
            name: "desk", time: Timestamp(seconds: 1), host: "", streams: [], storedBytes: 0, incomplete: 0)
        let manifest = try Manifest(
            clear: clear, sealedPart: part,
            key: SessionKey(session: session, repository: repository.id, dataKey: dataKey), author: author.key,
            certificate: author.certificate)
        let reference = try Repository.put(manifest.bytes, as: .manifest, session: session, estate.store)
        try repository.appendAsAuthor { _ in
            .commit(
                .init(
                    origin: .native, session: session, manifest: reference, clear: manifest.clear.bytes,
                    objects: .inline([envelope, told])))
        }
        return try #require(manifest.author)
    }
}
