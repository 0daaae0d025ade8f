import Platform
import Repository
import Sealing
import Support
import Testing

/// The index on disk against a plain dictionary.
struct IndexModelTests {
    /// Ids near one another, as a hostile writer could choose them, besides uniform ones.
    private static func id(_ number: Int, clustered: Bool) -> ChunkID {
        if clustered {
            return ChunkID(Digest(words: (7, UInt64(number) &* 0x9e37_79b9_7f4a_7c15, UInt64(number), 0)))
        }
        return ChunkID(SHA256.hash(Array("chunk \(number)".utf8)))
    }

    private static func root(_ number: Int) -> Digest { SHA256.hash(Array("pack \(number)".utf8)) }

    /// Everything that was put in: of each chunk its places, by pack root and frame.
    private struct Model {
        var places: [ChunkID: Set<Place>] = [:]
        struct Place: Hashable {
            var root: Digest
            var frame: UInt32
            var length: UInt32
        }
    }

    /// Chunks of which the index says something else than the model.
    private static func wrong(
        _ index: ChunkIndex, _ model: Model, numbers: Range<Int>, clustered: Bool,
        accepting isAccepted: (Digest) -> Bool = { _ in true }
    ) -> [Int] {
        numbers.filter { number in
            let id = id(number, clustered: clustered)
            let right = (model.places[id] ?? []).filter { isAccepted($0.root) }
            guard let found = index.find(id, in: { isAccepted(index.packs[Int($0)].root) }) else {
                return !right.isEmpty
            }
            let root = index.packs[Int(found.pack)].root
            return found.id != id || !right.contains(.init(root: root, frame: found.frame, length: found.length))
        }
    }

    private static func segment(_ seed: inout Seed, _ model: inout Model, chunks: Int, clustered: Bool) -> Segment {
        var packs: [Segment.Pack] = []
        var entries: [SegmentEntry] = []
        let first = seed.below(50)
        for number in 0..<1 + seed.below(4) {
            packs.append(.init(root: root(first + number), origin: .none))
        }
        for _ in 0..<seed.below(300) {
            let pack = seed.below(packs.count)
            let entry = SegmentEntry(
                id: id(seed.below(chunks), clustered: clustered), pack: UInt32(pack), frame: UInt32(seed.below(5)),
                offset: 88, sealedLength: 100, inside: 0, length: UInt32(seed.below(3)))
            entries.append(entry)
            model.places[entry.id, default: []].insert(
                .init(root: packs[pack].root, frame: entry.frame, length: entry.length))
        }
        return Segment(packs: packs, entries: entries.sorted { ($0.id, $0.pack) < ($1.id, $1.pack) })
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func anyOrderOfWorkSaysWhatADictionarySays(number: UInt64) throws {
        var seed = Seed(number)
        let folder = try TemporaryDirectory("index")
        let surroundings = Surroundings.seeded(number)
        let bundle = try KeyBundle.make(surroundings: surroundings)
        let owner = IndexOwner(
            secret: WriterSecret(bundle.writerSecret, repository: bundle.repository), repository: bundle.repository,
            vault: .random(surroundings))
        let limits = IndexLimits(batch: 40 + seed.below(200), fanIn: 2 + seed.below(4), filter: 0)
        let clustered = number % 3 == 2
        var model = Model()
        var covered: Set<Digest> = []
        var mostRuns = 0
        for _ in 0..<8 {
            var shelf = IndexShelf(try IndexFolder(kept: folder("kept")), owner, limits, surroundings)
            #expect(Set(try shelf.takeUp().map(\.digest)) == covered)
            for _ in 0..<seed.below(6) {
                let digest = Digest(words: (seed.next(), 0, 0, 0))
                try shelf.add(Self.segment(&seed, &model, chunks: 3000, clustered: clustered), digest, by: .none)
                covered.insert(digest)
            }
            try shelf.finish()
            try shelf.compact(everything: seed.below(4) == 0, keeping: { _ in true }, wanting: { _ in true })
            mostRuns = max(mostRuns, shelf.runs.count)
            for filter in [0, 400, 1 << 20] {
                let index = try shelf.index(filter: filter, keeping: { _ in true })
                #expect(Self.wrong(index, model, numbers: 0..<3100, clustered: clustered) == [])
                let some = Self.wrong(index, model, numbers: 0..<500, clustered: clustered) { $0.words.0 % 2 == 0 }
                #expect(some == [])
                #expect(index.packs.indices.allSatisfy { index.ordinals(of: index.packs[$0].root) == [UInt32($0)] })
            }
        }
        #expect(mostRuns > 1 && mostRuns < 9)
    }

    @Test func whatIsNotKeptGoesWhenEverythingIsMerged() throws {
        var seed = Seed(9)
        let folder = try TemporaryDirectory("index")
        let surroundings = Surroundings.seeded(9)
        let bundle = try KeyBundle.make(surroundings: surroundings)
        let owner = IndexOwner(
            secret: WriterSecret(bundle.writerSecret, repository: bundle.repository), repository: bundle.repository,
            vault: .random(surroundings))
        var model = Model()
        var shelf = IndexShelf(
            try IndexFolder(kept: folder("kept")), owner, IndexLimits(batch: 100, fanIn: 4, filter: 0), surroundings)
        for number in 0..<12 {
            let digest = Digest(words: (UInt64(number), 0, 0, 0))
            try shelf.add(Self.segment(&seed, &model, chunks: 1000, clustered: false), digest, by: .none)
        }
        try shelf.finish()
        func isKept(_ root: Digest) -> Bool { root.words.3 % 3 == 0 }
        try shelf.compact(everything: true, keeping: { isKept($0.root) }, wanting: { $0.digest.words.0 < 5 })
        let index = try shelf.index(filter: 1 << 20, keeping: { _ in true })
        #expect(index.packs.count > 0 && index.packs.allSatisfy { isKept($0.root) })
        #expect(Self.wrong(index, model, numbers: 0..<1000, clustered: false, accepting: isKept) == [])
        #expect(try shelf.runs[0].segments().map(\.digest.words.0) == [0, 1, 2, 3, 4])
    }

    /// More than one group of blocks (293,760 chunks), and filters folded as far as they go.
    @Test func aRunOfSeveralGroupsFindsEveryChunkAndFiltersMostOthers() throws {
        let surroundings = Surroundings.seeded(3)
        let bundle = try KeyBundle.make(surroundings: surroundings)
        let owner = IndexOwner(
            secret: WriterSecret(bundle.writerSecret, repository: bundle.repository), repository: bundle.repository,
            vault: .random(surroundings))
        let folder = try TemporaryDirectory("index")
        var seed = Seed(3)
        let count = 600_000
        let ids = (0..<count).map { _ in ChunkID(Digest(words: (seed.next(), seed.next(), seed.next(), seed.next()))) }
        var shelf = IndexShelf(
            try IndexFolder(scratch: folder.path), owner, IndexLimits(batch: 50_000, fanIn: 16, filter: 0),
            surroundings)
        for start in stride(from: 0, to: count, by: 100_000) {
            let entries = ids[start..<start + 100_000].enumerated().map {
                SegmentEntry(
                    id: $1, pack: 0, frame: UInt32(start + $0), offset: 0, sealedLength: 1, inside: 0, length: 1)
            }
            try shelf.add(
                Segment(packs: [.init(root: Self.root(start), origin: .none)], entries: entries),
                Self.root(start), by: .none)
        }
        try shelf.finish()
        try shelf.compact(everything: true, keeping: { _ in true }, wanting: { _ in true })
        #expect(shelf.runs.count == 1 && shelf.runs[0].shape.entries == count)
        let index = try shelf.index(filter: 300_000, keeping: { _ in true })
        let sample = stride(from: 0, to: count, by: 97)
        #expect(sample.allSatisfy { index.find(ids[$0], in: { _ in true })?.frame == UInt32($0) })
        let others = (0..<2000).map { _ in
            ChunkID(Digest(words: (seed.next(), seed.next(), seed.next(), seed.next())))
        }
        #expect(others.allSatisfy { index.find($0, in: { _ in true }) == nil })
    }

    @Test func budgetsAreReadAsPeopleWriteThem() throws {
        #expect(try MemoryBudget("256MiB") == .standard)
        #expect(try MemoryBudget("268435456") == .standard)
        #expect(try MemoryBudget("1GiB").total == 1 << 30)
        for text in ["191MiB", "0", "-1GiB", "1.5GiB", "256MB", "", "MiB", "99999999999GiB", "١GiB"] {
            #expect(throws: Failure(.usage, ""), "\(text)") { try MemoryBudget(text) }
        }
    }
}
