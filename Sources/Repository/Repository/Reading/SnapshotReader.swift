internal import ObjectStore
package import Platform
package import Sealing

/// Reads chunks of one snapshot, each resolved within the snapshot's sets and verified against its id.
///
/// Safe to use from several threads.
package final class SnapshotReader: Sendable {
    package let repository: Repository
    package let snapshot: Snapshot
    let opener: PackOpener
    private let secret: WriterSecret
    private let places: Monitor<Places>
    private let frames: FrameCache
    /// Packs that were looked into because the index led astray, by root.
    private let tables = Monitor([Digest: ChunkIndex]())
    /// By the root of a pack that failed: what other vaults hold of what was repacked into it.
    private let unpacked = Monitor([Digest: ChunkIndex]())
    /// Of the templates on which the snapshot leans, once one was needed.
    private let templates = Monitor([SnapshotReader]?.none)

    /// Where the snapshot's chunks lie: the index's word for packs it covers, the packs' own for the others.
    private struct Places: Sendable {
        var index: ChunkIndex
        var allowed: [Bool]
        var rebuilt: ChunkIndex
        /// Sets that could not be had, and why.
        var lostSets: [Failure] = []
        /// The record up to which the log is in it, where that is known.
        var head: UInt64?

        init(_ index: ChunkIndex, _ snapshot: Snapshot, _ repository: Repository, _ opener: PackOpener) throws(Failure)
        {
            self.index = index
            allowed = [Bool](repeating: false, count: index.packs.count)
            var uncovered: [Digest] = []
            let state = repository.log.state
            for set in snapshot.clear.sets {
                let roots: [Digest]
                do throws(Failure) {
                    roots = try PackSet(try repository.object(.set, set), expecting: set).roots
                } catch {
                    guard error.isOfOneObject else { throw error }
                    lostSets.append(error)
                    continue
                }
                for root in roots.flatMap(state.packs(for:)) {
                    let ordinals = index.ordinals(of: root)
                    for ordinal in ordinals { allowed[Int(ordinal)] = true }
                    if ordinals.isEmpty { uncovered.append(root) }
                }
            }
            if !lostSets.isEmpty {
                // What a set named lies in packs of sessions whose envelopes the snapshot carries, and what is read is
                // held to its id as ever.
                let sessions = Set(snapshot.clear.envelopes.map(\.session))
                for ordinal in index.packs.indices where sessions.contains(index.packs[ordinal].origin) {
                    allowed[ordinal] = true
                }
            }
            rebuilt = try SnapshotReader.rebuild(uncovered, opener)
        }

        func find(_ id: ChunkID) -> Place? {
            if let entry = index.find(id, in: { allowed[Int($0)] }) {
                return Place(root: index.packs[Int(entry.pack)].root, entry: entry)
            }
            if let entry = rebuilt.find(id, in: { _ in true }) {
                return Place(root: rebuilt.packs[Int(entry.pack)].root, entry: entry)
            }
            return nil
        }
    }

    struct Place: Sendable {
        var root: Digest
        var entry: SegmentEntry
    }

    /// - Parameter cache: bytes of opened frames kept for reading again; nil for what the memory at hand allows.
    package convenience init(_ repository: Repository, _ snapshot: Snapshot, cache: Int? = nil) throws(Failure) {
        try self.init(repository, snapshot, index: try repository.loadIndex(for: .reading).index, cache: cache)
    }

    /// With an index, and perhaps a cache of frames, that serve several readers of one repository.
    package init(
        _ repository: Repository, _ snapshot: Snapshot, index: ChunkIndex, cache: Int? = nil,
        sharing shared: FrameCache? = nil
    ) throws(Failure) {
        guard let secret = repository.keys.secret else {
            throw Failure(.refused, "reading \(repository.store.location) needs its keys")
        }
        self.repository = repository
        self.snapshot = snapshot
        self.secret = secret
        frames = shared ?? FrameCache(budget: cache ?? repository.resources.memory.frames)
        let envelopes = Dictionary(
            snapshot.clear.envelopes.map { ($0.session, $0.envelope) }, uniquingKeysWith: { first, _ in first })
        opener = PackOpener(repository, envelopes: envelopes)
        places = Monitor(try Places(index, snapshot, repository, opener))
    }

    /// Index of packs that no readable segment covers. A pack whose table is gone too is missed when it is needed; that a
    /// store does not answer says nothing of a pack.
    private static func rebuild(_ roots: [Digest], _ opener: PackOpener) throws(Failure) -> ChunkIndex {
        var tables: [(root: Digest, table: PackTable)] = []
        for root in roots {
            do throws(Failure) {
                tables.append((root, try opener.table(root)))
            } catch { guard error.code == .damaged || error.code == .notFound else { throw error } }
        }
        return ChunkIndex(tables: tables)
    }

    /// What had to be taken from another vault, or could not be had.
    package var findings: [String] {
        places.access { $0.lostSets.map(\.what) } + opener.troubles.map(\.what)
            + (templates.access { $0 } ?? []).flatMap(\.findings)
    }
    var troubles: [PackOpener.Trouble] { opener.troubles }
    /// How many packs were read from, those of templates included: the fewer for what was read, the closer together it lies.
    package var packsRead: UInt64 {
        opener.packsRead + (templates.access { $0 } ?? []).reduce(0) { $0 + $1.packsRead }
    }

    // MARK: - One chunk

    /// A chunk's bytes.
    /// - Throws: `.damaged` when no vault at hand has it whole.
    package func read(_ id: ChunkID) throws(Failure) -> [UInt8] {
        let (home, place) = try find(id)
        guard home === self else {
            do throws(Failure) { return try home.read(id) } catch { throw home.asTemplate(error) }
        }
        do throws(Failure) {
            return try read(id, at: place)
        } catch {
            guard error.code != .cancelled else { throw error }
            for other in elsewhere(id, than: place) {
                if let bytes = try? read(id, at: other) { return bytes }
            }
            throw error
        }
    }

    private func read(_ id: ChunkID, at place: Place) throws(Failure) -> [UInt8] {
        let key = FrameCache.Key(root: place.root, number: place.entry.frame)
        // An index that lies about a frame must not spoil the cache for one that does not.
        if let kept = frames.get(key), let chunk = try? verified(place, kept) { return Array(chunk) }
        let frame = try opener.frame(
            place.root, place.entry.frame, offset: place.entry.offset, sealedLength: place.entry.sealedLength)
        let chunk = Array(try verified(place, frame))
        frames.put(key, frame)
        return chunk
    }

    /// Where else a chunk may be had within the snapshot's sets: in another pack that the index knows; in the place
    /// that the pack's own table gives; in what the pack was repacked into since the snapshot was opened; in what it was
    /// made of by repacking, which another vault may still hold.
    private func elsewhere(_ id: ChunkID, than place: Place) -> [Place] {
        var found: [Place] = []
        let places = places.access { $0 }
        let index = places.index
        if let entry = index.find(id, in: { places.allowed[Int($0)] && index.packs[Int($0)].root != place.root }) {
            found.append(Place(root: index.packs[Int(entry.pack)].root, entry: entry))
        }
        let state = (try? repository.log.refresh()) ?? repository.log.state
        for root in [place.root] + state.packs(for: place.root) where !found.contains(where: { $0.root == root }) {
            let known = tables.access { $0[root] }
            guard let table = known ?? (try? Self.rebuild([root], opener)) else { continue }
            if known == nil { tables.access { $0[root] = table } }
            if let entry = table.find(id, in: { _ in true }) { found.append(Place(root: root, entry: entry)) }
        }
        let others = inOtherVaults(place.root, state)
        if let entry = others.find(id, in: { _ in true }) {
            found.append(Place(root: others.packs[Int(entry.pack)].root, entry: entry))
        }
        return found
    }

    private func inOtherVaults(_ root: Digest, _ state: LogState) -> ChunkIndex {
        if let known = unpacked.access({ $0[root] }) { return known }
        let roots = repository.alternates.isEmpty ? [] : state.roots(in: root)
        let packs = Set(repository.alternates.flatMap { roots.flatMap($0.log.state.packs(for:)) }).subtracting([root])
        guard let index = try? Self.rebuild(packs.sorted(), opener) else { return ChunkIndex(tables: []) }
        unpacked.access { $0[root] = index }
        return index
    }

    /// Where a chunk lies, and whose it is: this snapshot's, or that of a template on which it leans.
    /// - Throws: `.notFound` when it is neither, and a template is not at hand; `.damaged` when all are.
    func find(_ id: ChunkID) throws(Failure) -> (home: SnapshotReader, place: Place) {
        if let place = placed(id) { return (self, place) }
        // As a rule it is a template's. Where that is not at hand, one more look at this vault's log is enough.
        let templates: [SnapshotReader]
        do throws(Failure) {
            templates = try templateReaders()
        } catch {
            if places.access({ $0.head == nil }), let place = try renewed().find(id) { return (self, place) }
            throw error
        }
        for template in templates {
            if let place = template.placed(id) { return (template, place) }
        }
        for reader in [self] + templates {
            if let place = try reader.renewed().find(id) { return (reader, place) }
        }
        throw Failure(
            .damaged,
            "chunk \(id) is in no pack of snapshot \(snapshot.id)"
                + (templates.isEmpty ? "" : ", nor in the template on which it leans"),
            advice: Repository.elsewhere + "." + (templates.first.map { " " + $0.repository.repairingBase } ?? ""))
    }

    private func placed(_ id: ChunkID) -> Place? { places.access { $0 }.find(id) }

    /// The pack in which the snapshot's own chunk lies; nil for a template's.
    /// - Throws: `.damaged` when it is in none.
    func pack(of id: ChunkID) throws(Failure) -> Digest? {
        let (home, place) = try find(id)
        return home === self ? place.root : nil
    }

    /// Whether the snapshot's own packs hold a chunk.
    func holds(_ id: ChunkID) -> Bool { (try? find(id))?.home === self }

    /// Places by the newest state of the log, and by an index made anew if a block of it was damaged: since they were
    /// made, packs may have been moved, and what told of them collected.
    private func renewed() throws(Failure) -> Places {
        try places.access { places throws(Failure) in
            let head = ((try? repository.log.refresh()) ?? repository.log.state).head
            if places.index.isHurt || places.head != head {
                places = try Places(
                    try repository.loadIndex(for: .reading).index, snapshot, repository, opener)
                places.head = head
            }
            return places
        }
    }

    /// The chunk's part of its frame, if the bytes are the ones the id promises.
    private func verified(_ place: Place, _ frame: [UInt8]) throws(Failure) -> ArraySlice<UInt8> {
        guard let part = verifiedParts(of: frame, at: [place])[0] else {
            throw Failure(.damaged, "chunk \(place.entry.id) in pack \(place.root) is not what its id promises")
        }
        return frame[part]
    }

    // MARK: - Templates

    /// Makes sure that every template on which the snapshot leans is at hand.
    /// - Throws: `.notFound`, and which repository and template are missing; what opening them throws.
    package func requireTemplates() throws(Failure) { _ = try templateReaders() }

    private func templateReaders() throws(Failure) -> [SnapshotReader] {
        guard !snapshot.clear.leans.isEmpty else { return [] }
        return try templates.access { kept throws(Failure) in
            if let kept { return kept }
            let made = try repository.readers(ofTemplatesUnder: snapshot, sharing: frames)
            kept = made
            return made
        }
    }

    /// What went wrong with a template, as the snapshot that leans on it tells it.
    private func asTemplate(_ failure: Failure) -> Failure { repository.lost(snapshot.id, failure) }

    // MARK: - Many chunks

    /// One chunk wanted by a caller, who knows it by `tag`.
    package struct Want: Sendable {
        package var id: ChunkID
        package var tag: Int
        package init(id: ChunkID, tag: Int) {
            self.id = id
            self.tag = tag
        }
    }

    /// Reads chunks in the order in which they lie in packs, several at a time.
    ///
    /// `deliver` and `failed` are called from several threads, once for each want between them.
    /// - Throws: what `deliver` throws.
    package func fetch(
        _ wants: [Want], workers: Int = 2, deliver: @Sendable (Int, UnsafeRawBufferPointer) throws -> Void,
        failed: @Sendable (Int, Failure) -> Void
    ) throws {
        var located: [(tag: Int, place: Place)] = []
        var leant: [ObjectIdentifier: (template: SnapshotReader, wants: [Want])] = [:]
        located.reserveCapacity(wants.count)
        for want in wants {
            do throws(Failure) {
                let (home, place) = try find(want.id)
                if home === self {
                    located.append((want.tag, place))
                } else {
                    leant[ObjectIdentifier(home), default: (home, [])].wants.append(want)
                }
            } catch { failed(want.tag, error) }
        }
        for (template, wants) in leant.values {
            try unsafe template.fetch(
                wants, workers: workers, deliver: deliver, failed: { failed($0, template.asTemplate($1)) })
        }
        located.sort { ($0.place.root, $0.place.entry.frame) < ($1.place.root, $1.place.entry.frame) }
        let ordered = located
        let runs = Self.runs(ordered)
        let next = Monitor(0)
        try Workers.concurrently(min(workers, max(runs.count, 1))) { _ in
            let zstd = ZstdDecompressor()
            while true {
                let mine = next.access { next in
                    defer { next += 1 }
                    return next
                }
                guard mine < runs.count else { return }
                try unsafe read(ordered[runs[mine]], zstd, deliver: deliver, failed: failed)
            }
        }
    }

    private static let longestRun = 4 << 20

    /// Wants whose frames lie in one pack within a few MiB, to be read at once.
    private static func runs(_ ordered: [(tag: Int, place: Place)]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start = 0
        for position in ordered.indices.dropFirst() {
            let first = ordered[start].place, last = ordered[position - 1].place, this = ordered[position].place
            let isNear =
                this.root == first.root && this.entry.frame <= last.entry.frame + 1
                && Int(this.entry.offset) + Int(this.entry.sealedLength) - Int(first.entry.offset) <= longestRun
            if !isNear {
                runs.append(start..<position)
                start = position
            }
        }
        if start < ordered.count { runs.append(start..<ordered.count) }
        return runs
    }

    private func read(
        _ run: ArraySlice<(tag: Int, place: Place)>, _ zstd: ZstdDecompressor,
        deliver: (Int, UnsafeRawBufferPointer) throws -> Void, failed: (Int, Failure) -> Void
    ) throws {
        guard let root = run.first?.place.root else { return }
        var wanted: [(number: UInt32, offset: UInt32, sealedLength: UInt32)] = []
        for (_, place) in run where wanted.last?.number != place.entry.frame {
            wanted.append((place.entry.frame, place.entry.offset, place.entry.sealedLength))
        }
        var rest = run
        for (frame, opened) in zip(wanted, opener.frames(root, wanted, zstd)) {
            let mine = rest.prefix { $0.place.entry.frame == frame.number }
            rest = rest.dropFirst(mine.count)
            let bytes = (try? opened.get()) ?? []
            for ((tag, place), part) in zip(mine, verifiedParts(of: bytes, at: mine.map(\.place))) {
                let chunk: ArraySlice<UInt8>
                if let part {
                    chunk = bytes[part]
                } else {
                    do throws(Failure) { chunk = try read(place.entry.id)[...] } catch {
                        failed(tag, error)
                        continue
                    }
                }
                try unsafe chunk.withUnsafeBytes { try unsafe deliver(tag, $0) }
            }
        }
    }

    /// Where the chunks lie in their frame, of those whose bytes are the ones that their ids promise.
    private func verifiedParts(of frame: [UInt8], at places: [Place]) -> [Range<Int>?] {
        let parts = places.map { place -> Range<Int>? in
            let start = Int(place.entry.inside)
            let end = start + Int(place.entry.length)
            return end <= frame.count ? start..<end : nil
        }
        var hashes = SHA256.hashes(of: parts.compactMap(\.self), in: frame).makeIterator()
        return zip(places, parts).map { place, part in
            guard let part, let hash = hashes.next(), secret.chunkID(contentHash: hash) == place.entry.id else {
                return nil
            }
            return part
        }
    }
}

/// Opened frames, the least recently used of which go when a budget of bytes is spent.
package final class FrameCache: Sendable {
    struct Key: Hashable, Sendable {
        var root: Digest
        var number: UInt32
    }

    private struct Contents {
        var frames: [Key: (bytes: [UInt8], used: UInt64)] = [:]
        var size = 0
        var tick: UInt64 = 0
    }

    private let budget: Int
    private let contents = Monitor(Contents())

    /// - Parameter budget: bytes kept; one frame is kept whatever its size.
    package init(budget: Int) { self.budget = budget }

    func get(_ key: Key) -> [UInt8]? {
        contents.access { contents in
            contents.tick += 1
            contents.frames[key]?.used = contents.tick
            return contents.frames[key]?.bytes
        }
    }

    func put(_ key: Key, _ bytes: [UInt8]) {
        contents.access { contents in
            guard contents.frames[key] == nil else { return }
            contents.tick += 1
            contents.frames[key] = (bytes, contents.tick)
            contents.size += bytes.count
            while contents.size > budget, contents.frames.count > 1,
                let oldest = contents.frames.min(by: { $0.value.used < $1.value.used })
            {
                contents.size -= oldest.value.bytes.count
                contents.frames[oldest.key] = nil
            }
        }
    }
}
