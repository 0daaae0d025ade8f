import Glibc
import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// The index that is kept between runs leads nobody astray, whatever became of it.
struct KeptIndexTests {
    /// A repository with two snapshots, and a kept index so small that it lies in several files.
    private final class World {
        let estate: Estate
        let state: TemporaryDirectory
        let warnings = Monitor([Failure]())
        var contents: [(snapshot: Snapshot, bytes: [UInt8])] = []

        init(seed: UInt64) throws {
            estate = try Estate(seed: seed, cut: .init(minimum: 256, average: 512, maximum: 1024))
            state = try TemporaryDirectory("state")
            for number in 0..<3 {
                let bytes = estate.bytes(120_000)
                contents.append((try estate.backUp(bytes, name: "desk \(number)", resources: resources()), bytes))
            }
            _ = try open().loadIndex(for: .reading)
        }

        func resources(_ path: String? = nil) -> Resources {
            var resources = Resources(indexes: path ?? state("index"), scratch: state.path) { [warnings] failure in
                warnings.access { $0.append(failure) }
            }
            resources.index = IndexLimits(batch: 200, fanIn: 3, filter: 600)
            return resources
        }

        func open() throws -> Repository { try estate.open(resources: resources()) }

        var folder: String {
            get throws {
                let repository = try estate.open()
                return state("index/\(repository.id.digest.hex)/\(repository.vault.hex)")
            }
        }

        func files(_ suffix: String = ".run") throws -> [String] {
            let folder = try folder
            let directory = try Directory(at: folder)
            return try directory.entries().map { String(decoding: $0.name, as: UTF8.self) }
                .filter { $0.hasSuffix(suffix) }.sorted().map { "\(folder)/\($0)" }
        }

        /// Every snapshot comes back, a backup of what is known stores nothing or stores it again, and either way what
        /// it commits comes back.
        func expectWhole(_ what: String) throws {
            for (snapshot, bytes) in contents {
                #expect(try estate.content(of: snapshot, in: open()) == bytes, "\(what)")
            }
            let again = try estate.backUp(contents[1].bytes, name: "again", resources: resources())
            #expect(try estate.content(of: again, in: estate.open()) == contents[1].bytes, "\(what)")
            // It was made anew, or was as it should be.
            _ = try estate.backUp(contents[2].bytes, name: "third", resources: resources())
            let fourth = try estate.backUp(contents[2].bytes, name: "fourth", resources: resources())
            #expect(fourth.part.storedBytes == 0, "\(what)")
            let index = try open().loadIndex(for: .writing).index
            let plain = try estate.open().loadIndex(for: .writing).index
            func used(_ index: ChunkIndex) -> [IndexedPack] {
                index.packs.filter { !index.ordinals(of: $0.root).isEmpty }
            }
            #expect(used(index) == used(plain), "\(what)")
        }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
        let got = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
        #expect(got == bytes.count)
        return bytes
    }

    private static func write(_ bytes: [UInt8], _ path: String) throws {
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC).write(bytes)
    }

    @Test func aSecondOpeningReadsNoSegment() throws {
        let store = StrictStore()
        let counting = CountingStore(store)
        let estate = try Estate(seed: 30, store: counting, cut: .init(minimum: 256, average: 512, maximum: 1024))
        let state = try TemporaryDirectory("state")
        let resources = Resources(indexes: state("index"), scratch: state.path)
        _ = try estate.backUp(estate.bytes(50_000), name: "desk")
        _ = try estate.open(resources: resources).loadIndex(for: .reading)
        let before = counting.segmentsRead
        #expect(before > 0)
        let index = try estate.open(resources: resources).loadIndex(for: .reading).index
        #expect(counting.segmentsRead == before)
        #expect(index.count > 50)
        // And only the new ones after a backup.
        _ = try estate.backUp(estate.bytes(50_000), name: "desk", resources: resources)
        _ = try estate.open(resources: resources).loadIndex(for: .reading)
        #expect(counting.segmentsRead == before + 1)
    }

    @Test(arguments: ["flipped", "cut", "empty", "junk", "shifted", "header"])
    func aDamagedIndexIsMadeAnew(kind: String) throws {
        let world = try World(seed: 31)
        var seed = Seed(31)
        for _ in 0..<3 {
            for path in try world.files() {
                var bytes = try Self.read(path)
                switch kind {
                case "flipped": bytes[4096 + seed.below(bytes.count - 4096)] ^= 1 << UInt8(seed.below(8))
                case "cut": bytes.removeLast(1 + seed.below(bytes.count))
                case "empty": bytes = []
                case "junk": bytes = seed.bytes(bytes.count)
                case "shifted": bytes = Array(bytes[..<4096] + bytes[8192...] + bytes[4096..<8192])
                default: bytes[seed.below(4096)] ^= 4
                }
                try Self.write(bytes, path)
            }
            try world.expectWhole(kind)
        }
        #expect(world.warnings.access { $0.isEmpty })
    }

    @Test func everyBlockFlippedByItselfHarmsNothing() throws {
        let world = try World(seed: 32)
        let path = try #require(try world.files().max { try Self.read($0).count < Self.read($1).count })
        let whole = try Self.read(path)
        for block in 0..<whole.count / IndexFile.blockSize {
            var bytes = whole
            bytes[block * IndexFile.blockSize + 100] ^= 1
            try Self.write(bytes, path)
            for (snapshot, bytes) in world.contents {
                #expect(try world.estate.content(of: snapshot, in: world.open()) == bytes, "block \(block)")
            }
        }
    }

    @Test func theIndexOfAnotherRepositoryIsNotTaken() throws {
        let (world, other) = (try World(seed: 33), try World(seed: 34))
        let foreign = try other.files()
        for (number, path) in try world.files().enumerated() {
            try Self.write(try Self.read(foreign[number % foreign.count]), path)
        }
        try world.expectWhole("foreign")
    }

    @Test func anIndexFromBeforeACollectionIsBroughtUpToDate() throws {
        let world = try World(seed: 35)
        let old = try world.files().map { ($0, try Self.read($0)) }
        let site = try world.estate.open()
        _ = try site.forget([world.contents[0].snapshot.id])
        var collector = Collector(site)
        _ = try collector.run()
        let more = world.estate.bytes(100_000)
        world.contents.append((try world.estate.backUp(more, name: "more", resources: world.resources()), more))
        let collected = world.contents.removeFirst().bytes
        for path in try world.files() { unlink(path) }
        for (path, bytes) in old { try Self.write(bytes, path) }
        try world.expectWhole("stale")
        // What was collected is stored anew, not leaned on.
        let back = try world.estate.backUp(collected, name: "back", resources: world.resources())
        #expect(back.part.storedBytes > 100_000)
        #expect(try world.estate.content(of: back) == collected)
    }

    /// Killed while it merged: what it was making has no name that counts, what it made stands beside what it was made of.
    @Test func whatAKilledProcessLeftIsPutInOrder() throws {
        let world = try World(seed: 36)
        let before = try world.files().map { ($0, try Self.read($0)) }
        let bytes = world.estate.bytes(300_000)
        world.contents.append((try world.estate.backUp(bytes, name: "more", resources: world.resources()), bytes))
        _ = try world.open().loadIndex(for: .reading)
        for (path, bytes) in before { try Self.write(bytes, path) }
        let half = try #require(before.first)
        try Self.write(Array(half.1.prefix(half.1.count / 2)), try world.folder + "/00ff.new")
        try world.expectWhole("killed")
        #expect(try world.files(".new").isEmpty)
        let left = Set(try world.files())
        #expect(before.contains { !left.contains($0.0) })
    }

    @Test func twoAtOnceGetTheSame() throws {
        let world = try World(seed: 37)
        for path in try world.files() { unlink(path) }
        let resources = world.resources()
        let estate = world.estate
        let repositories = try (0..<4).map { _ in try estate.open(resources: resources) }
        let counts = Monitor([Int]())
        let chosen = world.contents.map(\.snapshot)
        try Workers.concurrently(4) { number in
            let repository = repositories[number]
            let index = try repository.loadIndex(for: number % 2 == 0 ? .reading : .writing).index
            counts.access { $0.append(index.packs.count) }
            for snapshot in chosen { _ = try SnapshotReader(repository, snapshot, index: index) }
        }
        #expect(Set(counts.access { $0 }).count == 1)
        try world.expectWhole("two at once")
    }

    @Test func whereNothingCanBeKeptWorkGoesOnWithAWarning() throws {
        let world = try World(seed: 38)
        try Self.write([1], world.state("file"))
        let resources = world.resources(world.state("file") + "/index")
        let bytes = world.estate.bytes(100_000)
        let snapshot = try world.estate.backUp(bytes, name: "desk", resources: resources)
        #expect(try world.estate.content(of: snapshot, in: world.estate.open(resources: resources)) == bytes)
        #expect(world.warnings.access { $0.count } == 2)
        // No place at all is an error that says so.
        let nowhere = Resources(scratch: world.state("file"))
        #expect(throws: Failure.self) { try world.estate.open(resources: nowhere).loadIndex(for: .reading) }
    }

    @Test func newChunksAreStoredOnceHoweverManyThereAre() throws {
        let world = try World(seed: 39)
        var resources = world.resources()
        resources.freshChunks = 16
        let piece = world.estate.bytes(60_000)
        let session = try world.estate.open(resources: resources).beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(piece + piece + world.estate.bytes(60_000) + piece)
        let reference = try writer.finish()
        let snapshot = try session.commit(
            .init(
                name: "fresh", time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        #expect(session.counters.newBytes < 140_000)
        #expect(try world.estate.content(of: snapshot).count == 240_000)
    }
}

/// Counts reads of segments.
private final class CountingStore: ObjectStore {
    private let inner: StrictStore
    private let count = Monitor(0)
    var segmentsRead: Int { count.access { $0 } }

    init(_ inner: StrictStore) { self.inner = inner }

    var location: String { inner.location }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.put(key, bytes, use: use)
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        if key.text.hasPrefix("segments/") { count.access { $0 += 1 } }
        return try inner.get(key, range: range)
    }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func delete(_ key: StoreKey) throws(Failure) { try inner.delete(key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
    func space() throws(Failure) -> StoreSpace? { try inner.space() }
}
