import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// Packs that are mostly dead are emptied into new ones, and everything still reads.
struct RepackTests {
    let store = StrictStore()
    let estate: Estate

    init() throws {
        estate = try Estate(
            seed: 21, store: store, cut: .init(minimum: 256, average: 1024, maximum: 4096))
    }

    private func options() -> Collector.Options {
        var options = Collector.Options()
        options.workers = 1
        options.repackBelow = 0.5
        return options
    }

    private func collect(_ store: any ObjectStore) throws -> CollectReport {
        var collector = Collector(try CollectTests.open(store, estate), options())
        return try collector.run()
    }

    /// A snapshot that uses a tenth of a pack whose own snapshot is gone.
    private func mostlyDead() throws -> (kept: Snapshot, content: [UInt8]) {
        let shared = estate.bytes(30_000)
        let first = try estate.backUp(estate.bytes(100_000) + shared + estate.bytes(170_000), name: "pc")
        let content = shared + estate.bytes(5000)
        let kept = try estate.backUp(content, name: "pc")
        _ = try estate.open().forget([first.id])
        return (kept, content)
    }

    private func packBytes(_ store: StrictStore) throws -> Int {
        try store.keys.filter { $0.hasPrefix("packs/") }.reduce(0) { sum, text in
            let key = try #require(StoreKey(text))
            return sum + Int(try store.length(of: key) ?? 0)
        }
    }

    /// What was followed lies in temporary files then, and nothing is followed for less.
    @Test func withLittleMemoryTheSameIsAlive() throws {
        let shared = estate.bytes(1_500_000)
        let first = try estate.backUp(estate.bytes(3_000_000) + shared, name: "pc")
        let kept = try estate.backUp(shared, name: "pc")
        _ = try estate.open().forget([first.id])
        var resources = Resources()
        resources.freshChunks = 2
        var collector = Collector(try estate.open(resources: resources), options())
        let report = try collector.run()
        #expect(report.repacked.packs == 1 && report.repacked.postponed == nil)
        #expect(try packBytes(store) < 1_700_000)
        #expect(try estate.content(of: kept) == shared)
    }

    @Test func whatIsAliveMovesAndTheDeadIsFreed() throws {
        let (kept, content) = try mostlyDead()
        #expect(try packBytes(store) > 300_000)
        let report = try collect(store)
        #expect(report.repacked.packs == 1 && report.repacked.newPacks == 1 && report.repacked.postponed == nil)
        #expect(try packBytes(store) < 60_000)
        let repository = try estate.open()
        #expect(try estate.content(of: kept, in: repository) == content)
        var check = Checker.Options()
        check.readData = true
        #expect(try Checker.check(repository, check).findings == [])
        // Writers lean on what was moved, and find it by its segment.
        let next = try estate.backUp(content, name: "pc")
        #expect(next.part.storedBytes == 0)
        #expect(try estate.content(of: next) == content)
        // There is nothing left to move, and nothing is walked for it.
        #expect(try collect(store).repacked.packs == 0)
    }

    @Test func thePlanSaysWhatRepackingFreesAndChangesNothing() throws {
        _ = try mostlyDead()
        let before = store.copy()
        let repository = try CollectTests.open(store, estate)
        let plan = try #require(try Collector(repository, options()).repackPlan())
        #expect(plan.postponed == nil && plan.left == 0 && plan.packs.map(\.fate) == [.moves])
        let usage = VaultUsage(try Collector(repository, options()).plan(), repository.log.state)
        #expect(usage.outlived.objects == 1 && usage.outlived.bytes == plan.packs[0].object.length)
        #expect(store.keys == before.keys)
        let repacked = try collect(store).repacked
        #expect(repacked.bytesBefore == plan.packs[0].object.length)
        let (said, freed) = (Double(plan.packs[0].dead), Double(repacked.bytesBefore - repacked.bytesAfter))
        #expect(abs(said - freed) < freed / 20, "\(said) were expected, \(freed) came free")
        let after = try CollectTests.open(store, estate)
        #expect(VaultUsage(try Collector(after).plan(), after.log.state).outlived == .init())
    }

    @Test func withoutTheKeyNobodyLooksIntoPacks() throws {
        _ = try mostlyDead()
        let site = try Repository.open(
            store, .keyless, heads: NoHeadMemory(), surroundings: estate.surroundings)
        #expect(try Collector(site, options()).repackPlan() == nil)
        #expect(VaultUsage(try Collector(site).plan(), site.log.state).outlived.objects == 1)
    }

    @Test func aPackHalfAliveStays() throws {
        let shared = estate.bytes(200_000)
        let first = try estate.backUp(shared + estate.bytes(50_000), name: "pc")
        let kept = try estate.backUp(shared, name: "pc")
        _ = try estate.open().forget([first.id])
        let plan = try #require(try Collector(try CollectTests.open(store, estate), options()).repackPlan())
        #expect(plan.packs.map(\.fate) == [.mostlyAlive])
        #expect((40_000..<60_000).contains(plan.packs[0].dead), "\(plan.packs[0].dead)")
        let report = try collect(store)
        #expect(report.repacked.packs == 0)
        #expect(try estate.content(of: kept) == shared)
    }

    @Test func nothingIsRepackedUnderARunningBackupAndItIsSaid() throws {
        let (kept, content) = try mostlyDead()
        let session = try estate.open().beginBackup()
        let plan = try #require(try Collector(try CollectTests.open(store, estate), options()).repackPlan())
        #expect(plan.packs.map(\.fate) == [.moves] && plan.postponed != nil)
        let report = try collect(store)
        #expect(report.repacked.packs == 0 && report.repacked.postponed != nil)
        try session.abandon()
        #expect(try collect(store).repacked.packs == 1)
        #expect(try estate.content(of: kept) == content)
    }

    /// Killed anywhere while it repacks, whose claim stands: the next run does not take it for a backup.
    @Test func theNextCollectorLetsGoOfWhatAKilledOneClaims() throws {
        let (kept, content) = try mostlyDead()
        var held = 0
        for calls in 1..<400 {
            let store = store.copy()
            let dying = FaultyStore(store, seed: 1) { $0.crashAfter = calls }
            if (try? collect(dying)) != nil { break }
            let state = try CollectTests.open(store, estate).log.state
            guard !state.claims.isEmpty else { continue }
            held += 1
            let plan = try #require(try Collector(try CollectTests.open(store, estate), options()).repackPlan())
            #expect(plan.postponed == nil, "killed at call \(calls)")
            let report = try collect(store)
            #expect(report.released.map(\.why) == [.predecessor], "killed at call \(calls)")
            #expect(report.repacked.postponed == nil, "killed at call \(calls)")
            #expect(report.repacked.rewritten >= report.repacked.bytesAfter)
            let after = try CollectTests.open(store, estate)
            #expect(after.log.state.claims.isEmpty)
            #expect(try estate.content(of: kept, in: after) == content, "killed at call \(calls)")
        }
        #expect(held > 3)
    }

    @Test func aReaderThatOpenedBeforeReadsOn() throws {
        let (kept, content) = try mostlyDead()
        let repository = try estate.open()
        let reader = try SnapshotReader(repository, kept)
        guard case .machine(let reference) = kept.part.streams[0].content else { return }
        _ = try collect(store)
        var read: [UInt8] = []
        try reader.forEachChunk(of: reference) { chunk, _ in read += try reader.read(chunk.id) }
        #expect(read == content)
    }

    /// A backup that was let go of, and leans on what the repacking leaves out, is void and not hollow.
    @Test func aBackupThatLeansOnWhatIsLeftOutIsVoid() throws {
        let dead = estate.bytes(100_000)
        let shared = estate.bytes(30_000)
        let first = try estate.backUp(dead + shared + estate.bytes(170_000), name: "pc")
        let kept = try estate.backUp(shared + estate.bytes(5000), name: "pc")
        let repository = try estate.open()
        let session = try repository.beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(dead)
        let reference = try writer.finish()
        for claim in try repository.log.refresh().claims.keys { try repository.release(claim) }
        _ = try estate.open().forget([first.id])
        #expect(try collect(store).repacked.packs == 1)
        #expect(throws: Failure(.refused, "")) {
            try session.commit(
                .init(
                    name: "pc", time: Timestamp(seconds: 1), host: "",
                    streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        }
        _ = try estate.content(of: kept)
    }

    @Test func killedAtAnyCallItIsFinishedByTheNext() throws {
        let (kept, content) = try mostlyDead()
        let changes = ChangeCounter(store.copy())
        _ = try collect(changes)
        for call in changes.places {
            let store = store.copy()
            let dying = FaultyStore(store, seed: 1) {
                $0.crashAfter = call
                $0.crashingCallIsDone = call % 2 == 0
            }
            _ = try? collect(dying)
            var own = options()
            own.releasesClaims = true
            var collector = Collector(try CollectTests.open(store, estate), own)
            _ = try collector.run()
            let repository = try CollectTests.open(store, estate)
            #expect(try estate.content(of: kept, in: repository) == content, "killed at call \(call)")
            #expect(try packBytes(store) < 60_000, "killed at call \(call)")
        }
    }
}
