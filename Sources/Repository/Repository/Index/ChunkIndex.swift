package import Platform
package import Sealing

/// Where the chunks of a repository lie, as its segments say, whatever their number: in sorted runs on the disk, of
/// which memory holds one fence and one filter line for each 72 chunks, and 64 bytes for each pack. What is little stays
/// in memory. Not changed once it is made.
///
/// Safe to use from several threads.
package final class ChunkIndex: Sendable {
    /// In ascending order; those that are not used are among them.
    package let packs: [IndexedPack]
    /// Entries, those of packs that are not used among them.
    package let count: Int
    private let isUsed: [Bool]
    private let runs: [Lookup]
    /// Ordered by chunk.
    private let loose: [SegmentEntry]

    private struct Lookup: Sendable {
        var run: IndexRun
        /// The numbers in `packs` of the run's packs; nil where they are the same.
        var ordinals: [UInt32]?
        var fences: [UInt64]
        var filter: IndexFilter
    }

    /// In memory, of what packs' own tables say.
    package convenience init(tables: [(root: Digest, table: PackTable)]) {
        let ordered = tables.sorted { $0.root < $1.root }
        var entries: [SegmentEntry] = []
        for (number, pack) in ordered.enumerated() { entries += pack.table.entries(pack: UInt32(number)) }
        entries.sort(by: SegmentEntry.isBefore)
        self.init(
            packs: ordered.map { IndexedPack(root: $0.root, origin: .none, teller: .none) },
            used: ordered.map { _ in true }, runs: [], loose: entries)
    }

    /// - Parameters:
    ///   - loose: entries in no run, ordered by chunk, of `packs`, which are in order.
    ///   - filter: bytes that filters may take.
    /// - Throws: `.damaged` when a run is not as it was written.
    convenience init(
        _ runs: [IndexRun], loose: [SegmentEntry], of loosePacks: [IndexedPack], filter bytes: Int,
        keeping isUsed: (IndexedPack) -> Bool
    ) throws(Failure) {
        var tables: [[IndexedPack]] = []
        for run in runs { tables.append(try run.packs()) }
        let union = IndexPacks(loosePacks.isEmpty ? tables : tables + [loosePacks])
        tables = []
        let words = IndexFilter.words(for: runs.reduce(0) { $0 + $1.shape.entryBlocks }, bytes: bytes)
        var lookups: [Lookup] = []
        for (position, run) in runs.enumerated() {
            let isAll = run.shape.packs == union.packs.count
            lookups.append(
                Lookup(
                    run: run, ordinals: isAll ? nil : union.ordinals[position], fences: try run.fences(),
                    filter: try run.filter(words: words)))
        }
        var loose = loose
        if let ordinals = union.ordinals.last, !loosePacks.isEmpty {
            for index in loose.indices { loose[index].pack = ordinals[Int(loose[index].pack)] }
        }
        self.init(packs: union.packs, used: union.packs.map(isUsed), runs: lookups, loose: loose)
    }

    private init(packs: [IndexedPack], used: [Bool], runs: [Lookup], loose: [SegmentEntry]) {
        self.packs = packs
        isUsed = used
        self.runs = runs
        self.loose = loose
        count = loose.count + runs.reduce(0) { $0 + $1.run.shape.entries }
    }

    /// A block of it did not open: what is not found may be there all the same, and an index made anew knows.
    package var isHurt: Bool { runs.contains { $0.run.isHurt } }

    /// The numbers under which a pack is used.
    package func ordinals(of root: Digest) -> [UInt32] {
        var ordinals: [UInt32] = []
        var place = packs.firstIndex(after: { $0.root < root })
        while place < packs.count, packs[place].root == root {
            if isUsed[place] { ordinals.append(UInt32(place)) }
            place += 1
        }
        return ordinals
    }

    // MARK: - Finding

    /// The first place of a chunk whose pack is used, and taken by `accept`.
    package func find(_ id: ChunkID, in accept: (UInt32) -> Bool) -> SegmentEntry? {
        func take(_ entry: SegmentEntry) -> Bool { isUsed[Int(entry.pack)] && accept(entry.pack) }
        var place = loose.firstIndex(after: { $0.id < id })
        while place < loose.count, loose[place].id == id {
            if take(loose[place]) { return loose[place] }
            place += 1
        }
        for lookup in runs {
            do throws(Failure) {
                if let found = try Self.find(id, lookup, take) { return found }
            } catch { lookup.run.noteHurt() }
        }
        return nil
    }

    private static func find(
        _ id: ChunkID, _ lookup: Lookup, _ take: (SegmentEntry) -> Bool
    ) throws(Failure) -> SegmentEntry? {
        let key = id.digest.words.0
        // The last block that begins before it, and those after that begin no later.
        let from = max(0, lookup.fences.firstIndex(after: { $0 < key }) - 1)
        var block = from
        while block < lookup.fences.count, block == from || lookup.fences[block] <= key {
            if lookup.filter.mayHold(id, block: block),
                let found = try find(id, lookup, block: block, take)
            {
                return found
            }
            block += 1
        }
        return nil
    }

    private static func find(
        _ id: ChunkID, _ lookup: Lookup, block: Int, _ take: (SegmentEntry) -> Bool
    ) throws(Failure) -> SegmentEntry? {
        let shape = lookup.run.shape
        let size = SegmentEntry.byteCount
        var outcome: Result<SegmentEntry?, Failure> = .success(nil)
        unsafe withUnsafeTemporaryAllocation(byteCount: IndexFile.blockSize, alignment: 16) { bytes in
            do throws(Failure) {
                try unsafe lookup.run.file.read(shape.place(of: block), into: bytes)
            } catch {
                outcome = .failure(error)
                return
            }
            func entry(_ position: Int) -> SegmentEntry {
                unsafe SegmentEntry(
                    UnsafeRawBufferPointer(rebasing: bytes[position * size..<(position + 1) * size]))
            }
            let count = shape.entries(in: block)
            var place = (0..<count).firstIndex(after: { entry($0).id < id })
            while place < count {
                var found = entry(place)
                guard found.id == id else { return }
                if let ordinals = lookup.ordinals { found.pack = ordinals[Int(found.pack)] }
                if take(found) {
                    outcome = .success(found)
                    return
                }
                place += 1
            }
        }
        return try outcome.get()
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first place of an ordered collection at which `isBefore` is false; its end where there is none.
    func firstIndex(after isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
