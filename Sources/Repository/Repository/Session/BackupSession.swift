package import Chunking
internal import Glibc
internal import ObjectStore
package import Platform
package import Sealing

/// One run that writes snapshots of one desktop into a repository.
///
/// Order of durability: envelope, packs, segments, sets, manifest, log. Until the log's record stands nothing of the
/// session is visible, and a crash leaves objects that a collector finds by their session's name.
///
/// `store` and the content writers are called by one thread at a time; compressing, sealing and putting run on others.
package final class BackupSession {
    package struct Counters: Sendable, Equatable {
        /// Bytes handed to `store`.
        package var bytes: UInt64 = 0
        /// Of these, bytes that the repository did not hold.
        package var newBytes: UInt64 = 0
        package var chunks: UInt64 = 0
        package var newChunks: UInt64 = 0
    }

    package let id: SessionID
    package let scanner: BoundaryScanner
    package private(set) var counters = Counters()

    let repository: Repository
    let secret: WriterSecret
    let author: Keys.Author
    let key: SessionKey
    let envelope: ObjectRef
    let readerGeneration: UInt32
    let packs: PackWriter
    private let limits: PackWriter.Limits
    private let index: ChunkIndex
    /// Packs of the index that hold something the snapshot refers to.
    private var usedPacks: Set<UInt32> = []
    private var presence = PackPresence()
    private var fresh: FreshChunks
    /// What is in packs and segments, and in no commit yet.
    var gathered = Gathered()
    private var groups: [ChunkKind: PackWriter.Group] = [:]
    private var spareBuffer: [UInt8]?
    private let claim: ClaimID
    let staging: Staging?
    /// On which the disks of this backup lean; nil for none.
    package let template: LeanTemplate?
    /// What of this session stands in stages.
    var staged: Staged

    /// How a session is set up.
    package struct Options: Sendable {
        /// Threads that compress and seal.
        package var workers = 2
        /// zstd's level.
        package var level = 3
        /// A pack is closed when it holds this many bytes; nil for what the memory at hand allows.
        package var packBytes: Int?
        /// Chunks are compressed together up to this many bytes.
        package var groupBytes = 1 << 20
        /// Whose backup it is, for the stages by which an interrupted one is gone on with; nil for none.
        package var staging: Staging?
        /// What of a base repository the disks may lean on, claimed for this repository; nil to store everything.
        package var template: LeanTemplate?
        package init() {}
    }

    init(_ repository: Repository, options: Options) throws {
        guard let secret = repository.keys.secret, let author = repository.keys.author else {
            throw Failure(.refused, "a backup needs the writer's keys of \(repository.store.location)")
        }
        self.repository = repository
        self.secret = secret
        self.author = author
        let surroundings = repository.surroundings
        let session = SessionID.random(surroundings)
        id = session
        let claim = ClaimID.random(surroundings)
        self.claim = claim
        staged = Staged(at: surroundings.uptime())
        let state = try repository.appendAsAuthor { _ in .claim(claim, .session(session)) }
        do {
            guard let reader = state.readers[state.newestReader] else {
                throw Failure(.damaged, "the log names no reader key")
            }
            let dataKey = surroundings.random(32)
            key = SessionKey(session: session, repository: repository.id, dataKey: dataKey)
            readerGeneration = state.newestReader
            let sealed = try Envelope.seal(
                dataKey: dataKey, repository: repository.id, session: session, generation: readerGeneration,
                reader: reader, writer: author.key.verifying, ephemeral: surroundings.random(32))
            envelope = try Repository.put(sealed.bytes, as: .envelope, session: session, repository.store)
            staging = state.charter.features.contains(Charter.stages) ? options.staging : nil
            template = options.template
            let cut = state.charter.cut
            scanner = BoundaryScanner(
                key: secret.boundaryKey,
                parameters: CutParameters(
                    minimum: Int(cut.minimum), average: Int(cut.average), maximum: Int(cut.maximum)))
            var limits = PackWriter.Limits()
            limits.packBytes = options.packBytes ?? repository.resources.memory.packBytes
            limits.groupBytes = options.groupBytes
            self.limits = limits
            index = try repository.loadIndex(for: .writing).index
            fresh = FreshChunks(
                IndexOwner(secret: secret, repository: repository.id, vault: repository.vault), repository.resources,
                surroundings)
            packs = PackWriter(
                store: repository.store, session: session, key: key, secret: secret, limits: limits,
                level: options.level, workers: options.workers, surroundings: surroundings)
        } catch {
            // Nobody has a session to abandon yet. The first error is the one to tell; a claim that stays is let go of
            // like a dead backup's.
            _ = try? repository.appendAsAuthor { _ in .release(claim) }
            throw error
        }
    }

    // MARK: - Chunks

    /// Stores a chunk unless the repository holds it, and names it. All zeros are a hole.
    /// - Parameters:
    ///   - hash: the SHA-256 of the bytes, for those who have it, and know that they are not all zeros.
    ///   - template: where to look besides: a chunk that it holds is named as it names it, and not stored.
    package func store(
        _ bytes: UnsafeRawBufferPointer, _ kind: ChunkKind, hash known: Digest? = nil,
        leaningOn template: LeanTemplate? = nil
    ) throws -> ChunkID {
        precondition(bytes.count <= Charter.largestChunk)
        counters.bytes += UInt64(bytes.count)
        counters.chunks += 1
        if kind == .data, known == nil, unsafe Self.isZero(bytes) { return .hole }
        let hash = unsafe known ?? SHA256.hash(bytes)
        let id = secret.chunkID(contentHash: hash)
        if fresh.contains(id) { return id }
        if let known = index.find(id, in: isThere) {
            usedPacks.insert(known.pack)
            return id
        }
        if let leant = template?.find(contentHash: hash, length: UInt64(bytes.count)) { return leant }
        try fresh.insert(id)
        counters.newBytes += UInt64(bytes.count)
        counters.newChunks += 1
        try unsafe add(bytes, id, kind)
        return id
    }

    /// Leans on content that an earlier session stored, without its bytes: for a file that has not changed since.
    /// - Parameter listed: asks for each chunk of content that has a list of them, and of that list; false when one is not
    ///   there, or it does not know them.
    /// - Returns: false, and nothing is leant on, unless every chunk of it lies in a pack that may be leant on.
    package func lean(
        on content: ContentRef, listed: (_ isThere: (ChunkID) -> Bool) -> Bool = { _ in false }
    ) -> Bool {
        var packs: Set<UInt32> = []
        func find(_ id: ChunkID, length: UInt64? = nil) -> Bool {
            if id == .hole || fresh.contains(id) { return true }
            guard let known = index.find(id, in: isThere), length.map({ $0 == UInt64(known.length) }) ?? true else {
                return false
            }
            packs.insert(known.pack)
            return true
        }
        let isWhole =
            content.depth == 0
            ? content.chunks.allSatisfy { find($0.id, length: $0.length) } : listed { find($0) }
        guard isWhole else { return false }
        usedPacks.formUnion(packs)
        return true
    }

    private func isThere(_ pack: UInt32) -> Bool { presence.has(pack, of: index, in: repository) }

    private func add(_ bytes: UnsafeRawBufferPointer, _ id: ChunkID, _ kind: ChunkKind) throws {
        if let open = groups[kind], !limits.hasRoom(for: bytes.count, in: open) { try close(kind) }
        var group = groups.removeValue(forKey: kind) ?? PackWriter.Group(kind: kind, bytes: [], chunks: [])
        if group.bytes.isEmpty { group.bytes.reserveCapacity(limits.groupBytes) }
        unsafe group.bytes.append(contentsOf: bytes)
        group.chunks.append(ChunkRef(id: id, length: UInt64(bytes.count)))
        groups[kind] = group
        if limits.isFull(group) { try close(kind) }
    }

    /// Ends a group, and does what is due between two.
    private func close(_ kind: ChunkKind) throws {
        try flush(kind)
        if packs.finishedChunks >= Segment.mostEntries { try gather(packs.take()) }
        try stageIfDue()
    }

    func flush(_ kind: ChunkKind) throws {
        guard let group = groups.removeValue(forKey: kind) else { return }
        try packs.submit(group)
    }

    static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = unsafe bytes.first, first == 0 else { return unsafe bytes.isEmpty }
        // Every byte equals the one before it, and the first is zero.
        return unsafe isSame(bytes)
    }

    // MARK: - Content

    /// For the bytes of a file, a directory or a document.
    /// - Parameter note: called with every chunk of it, and of the list of them.
    package func makeContentWriter(_ kind: ChunkKind, note: ((ChunkID) -> Void)? = nil) -> ContentWriter {
        guard kind == .data else { return ContentWriter(self, kind, buffer: nil, note: note) }
        defer { spareBuffer = nil }
        return ContentWriter(self, kind, buffer: spareBuffer, note: note)
    }

    func recycle(_ buffer: [UInt8]) { spareBuffer = buffer }

    // MARK: - Commit

    /// Sealed bytes put so far.
    package var storedBytes: UInt64 { packs.storedBytes }

    /// What the caller says of the snapshot.
    package struct Draft: Sendable {
        package var name: String
        package var time: Timestamp
        package var host: String
        package var streams: [SealedPart.Stream]
        package var incomplete: UInt64
        package var generation: UInt64?
        package var consistency: ClearPart.Consistency

        package init(
            name: String, time: Timestamp, host: String, streams: [SealedPart.Stream], incomplete: UInt64 = 0,
            generation: UInt64? = nil, consistency: ClearPart.Consistency = .crash
        ) {
            self.name = name
            self.time = time
            self.host = host
            self.streams = streams
            self.incomplete = incomplete
            self.generation = generation
            self.consistency = consistency
        }
    }

    /// Makes what was stored a snapshot.
    /// - Throws: `.refused` when the log's rules forbid it, for example because the session's claim was released and
    ///   what it leans on was collected: then the backup is run again, in a session of its own; or, in a vault that locks
    ///   its data, when what it leans on cannot be kept locked.
    package func commit(_ draft: Draft) throws -> Snapshot {
        for kind in ChunkKind.allCases { try flush(kind) }
        try gather(try packs.finish())
        var objects = staged.isEmpty ? [envelope] : []
        objects += gathered.objects
        let reused = usedPacks.map { index.packs[Int($0)] }
        let own = staged.roots.union(gathered.roots)
        let sets = try putSets(Set(reused.map(\.root)).union(own))
        objects += sets.new
        let part = SealedPart(
            name: draft.name, time: draft.time, host: draft.host, streams: draft.streams,
            storedBytes: packs.storedBytes, incomplete: draft.incomplete)
        let envelopes = try envelopes(reused)
        let leans = try template?.lean().map { [$0] } ?? []
        let needed = reused.map(\.root) + own + sets.all + envelopes.flatMap(repository.log.state.wraps(of:))
        try repository.retain(Set(needed), new: objects)
        if !leans.isEmpty { try template?.retain() }
        let desktop = secret.desktop(named: draft.name)
        var committed: Manifest?
        let after = try repository.appendAsAuthor { state in
            let last = state.newest[desktop]
            let clear = ClearPart(
                repository: repository.id, desktop: desktop, generation: draft.generation ?? last?.generation ?? 1,
                sequence: (last?.sequence ?? 0) + 1, previous: last?.manifest, consistency: draft.consistency,
                readerGeneration: readerGeneration, streams: draft.streams.map(\.kind), sets: sets.all, leans: leans,
                envelopes: envelopes, session: id, salt: repository.surroundings.random(32))
            let manifest = try Manifest(
                clear: clear, sealedPart: part, key: key, author: author.key, certificate: author.certificate)
            let reference = try Repository.put(manifest.bytes, as: .manifest, session: id, repository.store)
            committed = manifest
            return .commit(
                RecordBody.Commit(
                    origin: .native, session: id, manifest: reference, clear: manifest.clear.bytes,
                    objects: try repository.listing(objects, session: id)))
        }
        guard let committed else { throw Failure(.failed, "nothing was committed") }
        let digest = SHA256.hash(committed.bytes)
        guard let held = after.snapshots[digest] else {
            guard after.forgotten.contains(digest) else {
                let place = repository.store.location
                throw Failure(.failed, "the commit is not in the log of \(place) after it was appended")
            }
            // Between the append and this look at the log may lie a month of sleep.
            throw Failure(
                .refused, "snapshot \(digest) was committed, and forgotten and collected before this program saw it",
                advice: "Nothing else is affected. Back up again, if it is still wanted.")
        }
        // Whoever holds the site key forgets them later; until then they cost their manifests.
        _ = try? repository.forgetSupersededStages()
        return Snapshot(committed: held, part: part, manifest: committed)
    }

    /// Packs of the session, and the segments that tell of them.
    struct Gathered {
        var objects: [ObjectRef] = []
        var bytes: UInt64 = 0

        var roots: Set<Digest> { Set(objects.lazy.filter { $0.name.kind == .pack }.map(\.name.digest)) }
    }

    /// Puts segments for packs that are in the store; what is left of them in memory are references.
    func gather(_ finished: [PackWriter.Finished]) throws(Failure) {
        gathered.objects += finished.map(\.object)
        gathered.bytes += finished.reduce(0) { $0 + $1.object.length }
        gathered.objects += try putSegments(finished)
    }

    private func putSegments(_ finished: [PackWriter.Finished]) throws(Failure) -> [ObjectRef] {
        var references: [ObjectRef] = []
        var packs: [Segment.Pack] = []
        var entries: [SegmentEntry] = []
        func put() throws(Failure) {
            guard !entries.isEmpty else { return }
            entries.sort { ($0.id, $0.pack) < ($1.id, $1.pack) }
            let segment = try Segment(packs: packs, entries: entries).seal(
                secret, repository: repository.id, salt: repository.surroundings.random(32))
            references.append(try Repository.put(segment, as: .segment, session: id, repository.store))
            (packs, entries) = ([], [])
        }
        for pack in finished {
            let own = pack.table.entries(pack: UInt32(packs.count))
            if entries.count + own.count > Segment.mostEntries { try put() }
            entries += packs.isEmpty ? pack.table.entries(pack: 0) : own
            packs.append(Segment.Pack(root: pack.object.name.digest, origin: id))
        }
        try put()
        return references
    }

    func putSets(_ roots: Set<Digest>) throws(Failure) -> (all: [Digest], new: [ObjectRef]) {
        let state = repository.log.state
        var all: [Digest] = []
        var new: [ObjectRef] = []
        for page in PackSet.pages(of: roots) {
            let bytes = page.bytes
            let digest = SHA256.hash(bytes)
            all.append(digest)
            // One that is damaged where nothing needed it would keep everybody from judging the commit.
            let live = state.names(of: .set, digest).filter { state.objects[$0]?.status == .live }
            let isWhole = (try? repository.objects.page(live)) == bytes
            if !isWhole { new.append(try Repository.put(bytes, as: .set, session: id, repository.store)) }
        }
        return (all, new)
    }

    /// Envelopes of this session and of every session whose packs are used.
    private func envelopes(_ reused: [IndexedPack]) throws(Failure) -> [ClearPart.SessionEnvelope] {
        let known = repository.log.state.envelopes
        var needed = [id: envelope.name.digest]
        for pack in reused {
            guard let envelope = known[pack.origin] else {
                // Its claim was released, and the last snapshot that carried the envelope forgotten and collected.
                throw Failure(
                    .refused, "pack \(pack.root) was leaned on, and what opens it was collected meanwhile",
                    advice: "Run the backup again: what it leaned on is then stored anew.")
            }
            needed[pack.origin] = envelope
        }
        return needed.map { ClearPart.SessionEnvelope(session: $0.key, envelope: $0.value) }.sorted()
    }

    /// Gives the session up: nothing of it becomes visible. What it put is left for a collector, which need not wait
    /// for the session any more.
    package func abandon() throws {
        defer { packs.stop() }
        let claim = claim
        guard try repository.log.refresh().claims[claim] != nil else { return }
        try repository.appendAsAuthor { _ in .release(claim) }
    }
}

private func isSame(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress, bytes.count > 1 else { return true }
    return unsafe memcmp(base, base + 1, bytes.count - 1) == 0
}
