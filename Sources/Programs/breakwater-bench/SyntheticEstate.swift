import ObjectStore
import Platform
import Repository
import Sealing

/// Commits sessions as backups do, of chunks that nobody has ever seen.
struct SyntheticEstate {
    private let repository: Repository
    private let secret: WriterSecret
    private let author: Keys.Author
    private let packChunks: Int
    private let seed: UInt64
    private var drawn: UInt64 = 0

    init(_ repository: Repository, packChunks: Int, seed: UInt64) throws(Failure) {
        guard let secret = repository.keys.secret, let author = repository.keys.author else {
            throw Failure(.refused, "filling a repository needs its keys")
        }
        self.repository = repository
        self.secret = secret
        self.author = author
        self.packChunks = packChunks
        self.seed = seed
    }

    /// One session: its claim, its envelope, segments of its packs, sets, a manifest, the commit.
    mutating func addDesktop(_ name: String, chunks: Int) throws {
        let surroundings = repository.surroundings
        let session = SessionID.random(surroundings)
        let claim = ClaimID.random(surroundings)
        let state = try repository.appendAsAuthor { _ in .claim(claim, .session(session)) }
        guard let reader = state.readers[state.newestReader] else { throw Failure(.damaged, "no reader key") }
        let dataKey = surroundings.random(32)
        let envelope = try Repository.put(
            try Envelope.seal(
                dataKey: dataKey, repository: repository.id, session: session, generation: state.newestReader,
                reader: reader, writer: author.key.verifying
            ).bytes, as: .envelope, session: session, repository.store)
        var objects = [envelope]
        var roots: Set<Digest> = []
        var left = chunks
        while left > 0 {
            let count = min(left, Segment.mostEntries / packChunks * packChunks)
            let segment = segment(of: count, session)
            for pack in segment.packs {
                roots.insert(pack.root)
                objects.append(
                    ObjectRef(
                        name: ObjectName(kind: .pack, digest: pack.root, session: session),
                        length: UInt64(packChunks) * Self.chunkBytes))
            }
            objects.append(
                try Repository.put(
                    try segment.seal(secret, repository: repository.id, salt: surroundings.random(32)), as: .segment,
                    session: session, repository.store))
            left -= count
        }
        let pages = PackSet.pages(of: roots).map(\.bytes)
        for page in pages {
            objects.append(try Repository.put(page, as: .set, session: session, repository.store))
        }
        let disk = DiskRef(
            size: UInt64(chunks) * UInt64(DiskRef.blockSize), levels: DiskRef.levels(for: UInt64(chunks)), root: .hole)
        let part = SealedPart(
            name: name, time: surroundings.now(), host: "nowhere",
            streams: [.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)],
            storedBytes: UInt64(chunks) * Self.chunkBytes, incomplete: 0)
        let clear = ClearPart(
            repository: repository.id, desktop: secret.desktop(named: name), generation: 1, sequence: 1, previous: nil,
            consistency: .crash, readerGeneration: state.newestReader, streams: [.disk],
            sets: pages.map { SHA256.hash($0) }, leans: [],
            envelopes: [.init(session: session, envelope: envelope.name.digest)], session: session,
            salt: surroundings.random(32))
        let manifest = try Manifest(
            clear: clear, sealedPart: part,
            key: SessionKey(session: session, repository: repository.id, dataKey: dataKey), author: author.key,
            certificate: author.certificate)
        let reference = try Repository.put(manifest.bytes, as: .manifest, session: session, repository.store)
        let listing = try repository.listing(objects, session: session)
        try repository.appendAsAuthor { _ in
            .commit(
                RecordBody.Commit(
                    origin: .native, session: session, manifest: reference, clear: manifest.clear.bytes,
                    objects: listing))
        }
    }

    /// Sealed bytes of a block of 64 KiB of a desktop's disk, about.
    private static let chunkBytes: UInt64 = 16 << 10

    /// What no content has: the same sequence from the same seed.
    private mutating func draw() -> Digest {
        defer { drawn += 1 }
        return unsafe withUnsafeBytes(of: (seed, drawn)) { unsafe SHA256.hash($0) }
    }

    private mutating func segment(of count: Int, _ session: SessionID) -> Segment {
        let packs = (0..<(count + packChunks - 1) / packChunks).map { _ in
            Segment.Pack(root: draw(), origin: session)
        }
        var entries: [SegmentEntry] = []
        entries.reserveCapacity(count)
        for number in 0..<count {
            let inPack = number % packChunks
            let frame = inPack / 16
            entries.append(
                SegmentEntry(
                    id: ChunkID(draw()), pack: UInt32(number / packChunks), frame: UInt32(frame),
                    offset: UInt32(PackLayout.headerByteCount + frame * 16 * Int(Self.chunkBytes)),
                    sealedLength: UInt32(16 * Self.chunkBytes), inside: UInt32(inPack % 16 * DiskRef.blockSize),
                    length: UInt32(DiskRef.blockSize)))
        }
        entries.sort { $0.id < $1.id }
        return Segment(packs: packs, entries: entries)
    }
}
