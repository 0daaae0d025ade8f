internal import Platform
internal import Sealing

/// The packs of several runs as one table.
struct IndexPacks {
    /// In ascending order, each once.
    private(set) var packs: [IndexedPack]
    /// For each run the numbers of its packs in `packs`; `.max` for those left out.
    private(set) var ordinals: [[UInt32]]

    /// - Parameter tables: each in ascending order.
    init(_ tables: [[IndexedPack]], keeping isKept: (IndexedPack) -> Bool = { _ in true }) {
        var all = tables.count == 1 ? tables[0] : Array(tables.joined())
        if tables.count > 1 { all.sort() }
        var count = 0
        for pack in all where (count == 0 || all[count - 1] != pack) && isKept(pack) {
            all[count] = pack
            count += 1
        }
        all.removeLast(all.count - count)
        packs = all
        ordinals = tables.map { table in
            var at = 0
            return table.map { pack in
                while at < all.count, all[at] < pack { at += 1 }
                return at < all.count && all[at] == pack ? UInt32(at) : .max
            }
        }
    }
}

/// Makes one run of several, reading each from its beginning to its end.
enum IndexMerge {
    /// - Parameters:
    ///   - isKept: whether entries of a pack stay.
    ///   - isCovered: whether a segment is still said to be covered.
    static func merge(
        _ runs: [IndexRun], into writer: inout IndexRunWriter,
        keeping isKept: (IndexedPack) -> Bool, covering isCovered: (CoveredSegment) -> Bool
    ) throws(Failure) -> IndexFile {
        var tables: [[IndexedPack]] = []
        var segments: Set<CoveredSegment> = []
        for run in runs {
            tables.append(try run.packs())
            segments.formUnion(try run.segments().filter(isCovered))
        }
        let union = IndexPacks(tables, keeping: isKept)
        tables = []
        var queue = try Queue(zip(runs, union.ordinals).map { IndexCursor($0, ordinals: $1) })
        while let entry = try queue.next() { try writer.append(entry) }
        return try writer.finish(
            packs: union.packs, segments: segments.sorted { ($0.digest, $0.teller) < ($1.digest, $1.teller) })
    }

    /// The heads of all runs, the least first: a binary heap.
    private struct Queue {
        private var cursors: [IndexCursor]
        private var heads: [SegmentEntry] = []
        /// Positions in `heads` and `cursors`.
        private var heap: [Int] = []

        init(_ cursors: [IndexCursor]) throws(Failure) {
            self.cursors = []
            for cursor in cursors {
                var cursor = cursor
                guard let first = try cursor.next() else { continue }
                heap.append(heads.count)
                heads.append(first)
                self.cursors.append(cursor)
            }
            for position in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(position) }
        }

        mutating func next() throws(Failure) -> SegmentEntry? {
            guard let first = heap.first else { return nil }
            let entry = heads[first]
            if let following = try cursors[first].next() {
                heads[first] = following
            } else {
                let last = heap.removeLast()
                if heap.isEmpty { return entry }
                heap[0] = last
            }
            sink(0)
            return entry
        }

        private mutating func sink(_ start: Int) {
            var at = start
            let moving = heap[at]
            while true {
                var child = 2 * at + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, SegmentEntry.isBefore(heads[heap[child + 1]], heads[heap[child]]) {
                    child += 1
                }
                guard SegmentEntry.isBefore(heads[heap[child]], heads[moving]) else { break }
                heap[at] = heap[child]
                at = child
            }
            heap[at] = moving
        }
    }
}
