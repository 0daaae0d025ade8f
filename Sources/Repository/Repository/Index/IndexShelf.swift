internal import Glibc
package import Platform
package import Sealing

/// How much memory an index takes, and when runs are merged.
package struct IndexLimits: Sendable, Equatable {
    /// Entries that are gathered before they become a run.
    package var batch: Int
    /// Runs that are merged at once.
    package var fanIn: Int
    /// Bytes of filters.
    package var filter: Int

    package init(batch: Int, fanIn: Int, filter: Int) {
        self.batch = batch
        self.fanIn = fanIn
        self.filter = filter
    }
}

/// The runs of an index, made from segments in bounded memory.
///
/// 1. Runs that are kept are taken up. One that does not open is removed; so is one whose segments others cover: merging
///    was cut short before it was.
/// 2. What no run covers is gathered and written as runs.
/// 3. A run is merged with all that are smaller once these make up a quarter of it: of 100 million chunks there are five
///    or six runs, each entry was written as often, and a backup adds work in proportion to itself.
///
/// A run has its name only when it is whole, and goes only after what takes its place has its own: whoever is killed
/// leaves what was there before, or more.
package struct IndexShelf {
    private let folder: IndexFolder
    private let owner: IndexOwner
    private let limits: IndexLimits
    private let surroundings: Surroundings
    package private(set) var runs: [IndexRun] = []
    /// What is gathered and in no run yet, with its own packs.
    private var batch: [SegmentEntry] = []
    private var batchPacks: [IndexedPack] = []
    private var batchOrdinals: [IndexedPack: UInt32] = [:]
    private var batchSegments: [CoveredSegment] = []

    package init(_ folder: IndexFolder, _ owner: IndexOwner, _ limits: IndexLimits, _ surroundings: Surroundings) {
        self.folder = folder
        self.owner = owner
        self.limits = limits
        self.surroundings = surroundings
    }

    // MARK: - 1. What is kept

    /// Takes up the runs of the folder, and says which segments they cover.
    package mutating func takeUp() throws(Failure) -> [CoveredSegment] {
        guard folder.keeps else { return [] }
        var found: [(run: IndexRun, segments: [CoveredSegment])] = []
        for name in try folder.runs() {
            do throws(Failure) {
                let file = try IndexFile(try folder.open(name), owner)
                let run = try IndexRun(file, at: .init(folder: folder.path, name: name))
                found.append((run, try run.segments()))
            } catch  where error.code == .damaged { try folder.remove(name) }
        }
        found.sort { $0.segments.count > $1.segments.count }
        var covered: Set<CoveredSegment> = []
        for (run, segments) in found {
            if covered.isSuperset(of: segments) {
                try remove(run)
            } else {
                runs.append(run)
                covered.formUnion(segments)
            }
        }
        return Array(covered)
    }

    private func remove(_ run: IndexRun) throws(Failure) { if let place = run.place { try folder.remove(place.name) } }

    /// Forgets and removes everything.
    package mutating func clear() throws(Failure) {
        if folder.keeps { for name in try folder.runs() { try folder.remove(name) } }
        self = IndexShelf(folder, owner, limits, surroundings)
    }

    // MARK: - 2. What is new

    /// - Parameter teller: the session that put the segment.
    package mutating func add(_ segment: Segment, _ digest: Digest, by teller: SessionID) throws(Failure) {
        if !batch.isEmpty, batch.count + segment.entries.count > limits.batch { try writeBatch() }
        let ordinals = segment.packs.map { pack in
            let pack = IndexedPack(root: pack.root, origin: pack.origin, teller: teller)
            if let known = batchOrdinals[pack] { return known }
            let new = UInt32(batchPacks.count)
            batchOrdinals[pack] = new
            batchPacks.append(pack)
            return new
        }
        for entry in segment.entries {
            var entry = entry
            entry.pack = ordinals[Int(entry.pack)]
            batch.append(entry)
        }
        batchSegments.append(CoveredSegment(digest: digest, teller: teller, entries: segment.entries.count))
        // One long segment does not stay in memory beside the next.
        if batch.count >= limits.batch { try writeBatch() }
    }

    /// What was gathered becomes a run. Without a folder that is kept it may as well stay in memory.
    package mutating func finish() throws(Failure) {
        sortBatch()
        if folder.keeps || !runs.isEmpty { try writeBatch() }
    }

    private mutating func sortBatch() {
        let order = batchPacks.indices.sorted { batchPacks[$0] < batchPacks[$1] }
        var ordinals = [UInt32](repeating: 0, count: order.count)
        for (new, old) in order.enumerated() { ordinals[old] = UInt32(new) }
        batchPacks = order.map { batchPacks[$0] }
        batchOrdinals = batchOrdinals.mapValues { ordinals[Int($0)] }
        for index in batch.indices { batch[index].pack = ordinals[Int(batch[index].pack)] }
        batch.sort(by: SegmentEntry.isBefore)
    }

    private mutating func writeBatch() throws(Failure) {
        guard !batchSegments.isEmpty else { return }
        sortBatch()
        let (batch, packs, segments) = (batch, batchPacks, batchSegments)
        try write { writer throws(Failure) in
            for entry in batch { try writer.append(entry) }
            return try writer.finish(packs: packs, segments: segments)
        }
        self.batch = []
        (batchPacks, batchOrdinals, batchSegments) = ([], [:], [])
        // Each run is an open file.
        if runs.count >= limits.fanIn {
            try compact(everything: false, keeping: { _ in true }, wanting: { _ in true })
        }
    }

    private mutating func write(_ body: (inout IndexRunWriter) throws(Failure) -> IndexFile) throws(Failure) {
        let name = folder.newName(surroundings)
        do throws(Failure) {
            var writer = IndexRunWriter(
                try folder.create(name), owner, salt: surroundings.random(IndexFile.saltByteCount))
            let file = try body(&writer)
            let place = folder.keeps ? IndexRun.Place(folder: folder.path, name: try folder.publish(name)) : nil
            runs.append(try IndexRun(file, at: place))
        } catch {
            _ = try? folder.remove(name)
            throw error
        }
    }

    /// What was put in so far, to look things up in.
    /// - Parameters:
    ///   - filter: bytes that filters may take.
    ///   - isUsed: whether places in a pack are told.
    package func index(filter: Int, keeping isUsed: (IndexedPack) -> Bool) throws(Failure) -> ChunkIndex {
        try ChunkIndex(runs, loose: batch, of: batchPacks, filter: filter, keeping: isUsed)
    }

    // MARK: - 3. Merging

    /// - Parameters:
    ///   - everything: make one run of all, to be rid of what is not kept.
    ///   - isKept: whether a pack is in the log still.
    ///   - isWanted: whether a segment is.
    package mutating func compact(
        everything: Bool, keeping isKept: (IndexedPack) -> Bool, wanting isWanted: (CoveredSegment) -> Bool
    ) throws(Failure) {
        while true {
            runs.sort { $0.shape.entries < $1.shape.entries }
            var count = everything ? runs.count : 0
            var smaller = 0
            for (position, run) in runs.enumerated() where !everything {
                if position > 0, run.shape.entries < max(4 * smaller, limits.batch / 4) { count = position + 1 }
                smaller += run.shape.entries
            }
            guard count > 0 else { return }
            let isLast = count <= limits.fanIn
            let going = Array(runs.prefix(max(2, min(count, limits.fanIn))))
            runs.removeFirst(going.count)
            try write { writer throws(Failure) in
                try IndexMerge.merge(going, into: &writer, keeping: isKept, covering: isWanted)
            }
            for run in going { try remove(run) }
            if isLast { return }
        }
    }
}
