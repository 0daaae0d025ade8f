import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A pack that was made by repacking lies in no other vault. What is lost of it is had chunk by chunk from the packs that
/// it was made of, or is said to be lost.
struct RemakeTests {
    private let estate: Estate
    private let store = StrictStore("first")
    /// The vault as it was before it was repacked.
    private let twin: StrictStore
    /// Of two snapshots whose content was repacked into one pack, and one that leans on that pack itself.
    private let kept: [(snapshot: Snapshot, content: [UInt8])]
    private let pack: ObjectName

    init() throws {
        estate = try Estate(
            seed: 23, store: store, cut: .init(minimum: 1024, average: 4096, maximum: 16384))
        let (one, two) = (estate.bytes(1_000_000), estate.bytes(900_000))
        let whole = try estate.backUp(one + two + estate.bytes(2_500_000), name: "pc")
        var kept = [(try estate.backUp(one, name: "pc"), one), (try estate.backUp(two, name: "laptop"), two)]
        _ = try estate.open().forget([whole.id])
        twin = try Self.twin(of: store)
        var options = Collector.Options()
        options.repackBelow = 0.6
        var collector = Collector(try CollectTests.open(store, estate), options)
        let report = try collector.run()
        try #require(report.repacked.packs == 1 && report.repacked.newPacks == 1)
        let last = Array(one.suffix(300_000)) + estate.bytes(50_000)
        kept.append((try estate.backUp(last, name: "pc"), last))
        self.kept = kept
        let moved = try #require(try CollectTests.open(store, estate).log.state.moved.first)
        pack = try #require(moved.value.objects.first?.name)
    }

    private static func twin(of store: StrictStore) throws -> StrictStore {
        let twin = StrictStore("second")
        for key in store.keys {
            let name = try #require(StoreKey(key))
            try twin.put(name, try store.get(name, atMost: 1 << 30), use: .data)
        }
        return twin
    }

    /// Keys and lengths of the packs that lie in a store.
    private func packs(in store: StrictStore) throws -> [String: Int] {
        try store.keys.filter { $0.hasPrefix("packs/") }.reduce(into: [:]) { packs, key in
            packs[key] = Int(try store.length(of: try #require(StoreKey(key))) ?? 0)
        }
    }

    private func keyless(_ store: any ObjectStore) throws -> Repository {
        try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(5))
    }

    @discardableResult
    private func repair(
        _ store: any ObjectStore, from others: [any ObjectStore], isDryRun: Bool = false, seed: UInt64 = 7
    ) throws -> RepairReport {
        var options = Repairer.Options()
        options.isDryRun = isDryRun
        let keys = try Keys(owning: estate.bundle, surroundings: .seeded(seed))
        var repairer = Repairer(
            store, .granted(keys), from: try others.map { try keyless($0) }, heads: NoHeadMemory(),
            surroundings: .seeded(seed), options: options)
        return try repairer.run()
    }

    private func check(_ store: any ObjectStore) throws -> CheckReport {
        var options = Checker.Options()
        options.readData = true
        return try Checker.check(try CollectTests.open(store, estate), options)
    }

    /// What of the snapshots reads back from this vault alone, or with another: wrong bytes are a failure.
    private func readable(_ store: any ObjectStore, also others: [Repository] = []) throws -> [Bool] {
        let repository = try Repository.open(
            store, .granted(try Keys(owning: estate.bundle, surroundings: .seeded(6))), heads: NoHeadMemory(),
            surroundings: .seeded(6), also: others)
        var readable: [Bool] = []
        for (snapshot, content) in kept {
            do {
                let bytes = try estate.content(of: snapshot, in: repository)
                #expect(bytes == content)
                readable.append(true)
            } catch let failure as Failure where [.damaged, .notFound].contains(failure.code) {
                readable.append(false)
            }
        }
        return readable
    }

    private func expectWhole(_ store: StrictStore, _ note: String) throws {
        #expect(try check(store).findings == [], "\(note)")
        #expect(try readable(store) == [true, true, true], "\(note)")
        #expect(try repair(store, from: [], seed: 8).items == [], "\(note)")
    }

    enum Harm: CaseIterable { case data, table, header, everyBlock, cut, missing, swapped }

    private func inflict(_ harm: Harm, on store: StrictStore) throws {
        let bytes = try store.get(try pack.key(), atMost: 1 << 30)
        let body = Int(try #require(PackLayout.bodyLength(of: UInt64(bytes.count))))
        try #require(body > 20 * 65536)
        switch harm {
        case .data: store.alter(pack.path) { $0[body / 2] ^= 1 }
        case .table: store.alter(pack.path) { $0[body - PackLayout.footerByteCount - 5] ^= 1 }
        case .header: store.alter(pack.path) { $0[60] ^= 1 }
        case .everyBlock:
            store.alter(pack.path) { for place in stride(from: 100, to: body, by: 65536) { $0[place] ^= 1 } }
        case .cut: store.alter(pack.path) { $0.removeLast($0.count / 3) }
        case .missing: store.forget(pack.path)
        case .swapped:
            // It opens, and its table tells the truth of another pack.
            let other = try #require(try packs(in: store).keys.sorted().first { $0 != pack.path })
            let bytes = try store.get(try #require(StoreKey(other)), atMost: 1 << 30)
            store.alter(pack.path) { $0 = bytes }
        }
    }

    /// Segments that tell of the pack: its session put no others.
    private func segments(in store: StrictStore) -> [ObjectName] {
        store.keys.compactMap { ObjectName(path: $0) }.filter { $0.kind == .segment && $0.session == pack.session }
    }

    @Test(arguments: Harm.allCases) func isMadeAnewFromWhatItWasMadeOf(harm: Harm) throws {
        let store = store.copy()
        try inflict(harm, on: store)
        #expect(try check(store).findings.contains { $0.object == pack.path })
        let planned = try repair(store, from: [twin], isDryRun: true)
        #expect(planned.isWhole && planned.healed.map(\.object) == [pack.path])
        #expect(try check(store).findings.contains { $0.object == pack.path })
        let objects = Set(twin.keys)
        let report = try repair(store, from: [twin])
        #expect(report.isWhole && report.healed.map(\.object) == [pack.path] && report.recorded == [])
        #expect(report.bytesFetched > 0)
        #expect(Set(twin.keys) == objects)
        try expectWhole(store, "\(harm)")
        let repository = try CollectTests.open(store, estate)
        #expect(repository.log.state.objects[pack].map { $0.status == .condemned } ?? true)
        #expect(repository.log.state.claims.isEmpty)
        // Nothing of what was forgotten came with it, and writers lean on what is new.
        var collector = Collector(repository)
        _ = try collector.run()
        #expect(try packs(in: store).values.reduce(0, +) < 2_300_000)
        let again = try estate.backUp(kept[0].content, name: "pc", into: try CollectTests.open(store, estate))
        #expect(again.part.storedBytes < 100_000)
        try expectWhole(store, "\(harm), after a backup")
    }

    /// Its chunks can be told by the segments, and its frames are whole.
    @Test func aDamagedTableNeedsNoOtherVault() throws {
        let store = store.copy()
        try inflict(.table, on: store)
        let report = try repair(store, from: [])
        #expect(report.isWhole && report.bytesFetched == 0 && report.healed.map(\.object) == [pack.path])
        try expectWhole(store, "table")
    }

    @Test func withNoKeyOrNoOtherVaultItStaysNamed() throws {
        for others in [[], [twin]] as [[StrictStore]] {
            let store = store.copy()
            try inflict(.data, on: store)
            let site = try CollectTests.open(store, estate).keys.site
            let isKeyless = !others.isEmpty
            let report: RepairReport
            if isKeyless {
                var repairer = Repairer(
                    store, .keyless, from: try others.map { try keyless($0) }, site: site, heads: NoHeadMemory(),
                    surroundings: .seeded(9))
                report = try repairer.run()
            } else {
                report = try repair(store, from: others)
            }
            #expect(report.left.map(\.object) == [pack.path] && report.healed == [])
            guard case .left(let why) = report.left.first?.outcome else { continue }
            #expect(why.contains(isKeyless ? "passphrase" : "cannot be had from any vault at hand"))
            #expect(report.recorded == [pack])
            #expect(try check(store).findings.contains { $0.object == pack.path })
            #expect(try readable(store).contains(false))
            // What is not there to be sealed anew is not put either.
            #expect(try packs(in: store) == packs(in: self.store))
            // Recorded or not, it is made anew once it can be.
            #expect(try repair(store, from: [twin], seed: 10).isWhole)
            try expectWhole(store, "later")
        }
    }

    /// Nothing is left that tells truly what it held: what a snapshot refers to, and nobody names, is not left out.
    @Test(arguments: [Harm.swapped, .missing]) func aTableOrSegmentThatLiesMakesNothingGo(harm: Harm) throws {
        let store = store.copy()
        let repository = try CollectTests.open(store, estate)
        let secret = try #require(repository.keys.secret)
        let honest = try #require(segments(in: store).first)
        #expect(segments(in: store).count == 1)
        if harm == .missing {
            // As long as the honest one, and of chunks that there are not, but for one.
            let bytes = try store.get(try honest.key(), atMost: 1 << 30)
            var segment = try Segment(bytes, secret, repository: repository.id, name: "it")
            for place in segment.entries.indices.dropFirst() {
                segment.entries[place].id = ChunkID(SHA256.hash(estate.bytes(32)))
            }
            segment.entries.sort { $0.id < $1.id }
            let lie = try Repository.put(
                try segment.seal(secret, repository: repository.id, salt: estate.bytes(32)), as: .segment,
                session: pack.session, store)
            let length = try #require(repository.log.state.objects[pack]?.length)
            try repository.appendAsSite {
                .relocate(
                    [.init(root: pack.digest, objects: [ObjectRef(name: pack, length: length), lie])],
                    counted: $0.head)
            }
        }
        store.forget(honest.path)
        try inflict(harm, on: store)
        let report = try repair(store, from: [twin])
        #expect(report.left.contains { $0.object == pack.path } && report.recorded == [pack])
        #expect(try CollectTests.open(store, estate).log.state.objects[pack]?.status == .damaged)
        _ = try readable(store, also: [try keyless(twin)])
    }

    /// Whatever lies under the names of the packs there: no byte of it is believed.
    @Test func aHostileVaultGivesNothing() throws {
        let (store, twin) = (store.copy(), try Self.twin(of: twin))
        try inflict(.missing, on: store)
        for (key, length) in try packs(in: twin) {
            twin.alter(key) { for place in stride(from: 100, to: length, by: 20_000) { $0[place] ^= 1 } }
        }
        let report = try repair(store, from: [twin])
        #expect(report.left.map(\.object) == [pack.path] && report.recorded == [pack])
        #expect(try check(store).findings.contains { $0.object == pack.path })
        _ = try readable(store)
        // One that is whole beside it is enough.
        #expect(try repair(store, from: [twin, self.twin], seed: 10).isWhole)
        try expectWhole(store, "with a second")
    }

    /// Half of what is lost is nowhere: nothing is moved, until nobody needs that half.
    @Test func whatIsNowhereIsLostUntilNobodyNeedsIt() throws {
        let (store, twin) = (store.copy(), try Self.twin(of: twin))
        try inflict(.missing, on: store)
        // Within a frame to which of the snapshots the second alone refers.
        for (key, length) in try packs(in: twin) where length > 4_000_000 { twin.alter(key) { $0[1_700_000] ^= 1 } }
        #expect(try readable(twin: twin) == [true, false])
        let report = try repair(store, from: [twin])
        #expect(report.left.map(\.object) == [pack.path] && report.recorded == [pack])
        #expect(try check(store).findings.contains { $0.object == pack.path })
        // With that vault beside it is read what it has.
        #expect(try readable(store, also: [try keyless(twin)]) == [true, false, true])
        _ = try CollectTests.open(store, estate).forget([kept[1].snapshot.id])
        #expect(try repair(store, from: [twin], seed: 11).isWhole)
        #expect(try check(store).findings == [])
        let repository = try CollectTests.open(store, estate)
        for place in [0, 2] {
            #expect(try estate.content(of: kept[place].snapshot, in: repository) == kept[place].content)
        }
    }

    private func readable(twin: StrictStore) throws -> [Bool] {
        let repository = try CollectTests.open(twin, estate)
        return kept.prefix(2).map { (try? estate.content(of: $0.snapshot, in: repository)) == $0.content }
    }

    /// A backup that stored the content again is as good as another vault.
    @Test func whatWasStoredAgainIsTakenFromThere() throws {
        let store = store.copy()
        try inflict(.missing, on: store)
        #expect(try repair(store, from: []).recorded == [pack])
        for (_, content) in kept.prefix(2) {
            _ = try estate.backUp(content, name: "again", into: try CollectTests.open(store, estate))
        }
        #expect(try readable(store).contains(false))
        #expect(try repair(store, from: [], seed: 12).isWhole)
        try expectWhole(store, "stored again")
    }

    @Test func anotherVaultGivesARestoreWhatThePackLost() throws {
        let store = store.copy()
        try inflict(.everyBlock, on: store)
        #expect(try readable(store).contains(false))
        #expect(try readable(store, also: [try keyless(twin)]) == [true, true, true])
    }

    /// One that leans on the damaged pack, and does not know what took its place, is void, and is run again.
    @Test func aBackupThatLeansOnItMeanwhileIsNotHollow() throws {
        let store = store.copy()
        try inflict(.data, on: store)
        let session = try CollectTests.open(store, estate).beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(kept[0].content)
        let reference = try writer.finish()
        #expect(try repair(store, from: [twin]).isWhole)
        #expect(throws: Failure(.refused, "")) {
            try session.commit(
                .init(
                    name: "pc", time: Timestamp(seconds: 1), host: "",
                    streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        }
        try? session.abandon()
        _ = try estate.backUp(kept[0].content, name: "pc", into: try CollectTests.open(store, estate))
        try expectWhole(store, "after it")
    }

    @Test(arguments: [false, true]) func aRepairMayDieAtAnyCall(lastCallIsDone: Bool) throws {
        let damaged = store.copy()
        try inflict(.data, on: damaged)
        let counter = FaultyStore(damaged.copy(), seed: 1) { _ in }
        #expect(try repair(counter, from: [twin]).isWhole)
        // The claim, the pack, its segment, the move, the release.
        #expect(counter.changes.count >= 5)
        for crash in counter.changes {
            let store = damaged.copy()
            let faulty = FaultyStore(store, seed: 1) {
                $0.crashAfter = crash
                $0.crashingCallIsDone = lastCallIsDone
            }
            #expect(throws: (any Error).self) { try repair(faulty, from: [twin]) }
            #expect(try readable(store, also: [try keyless(twin)]) == [true, true, true], "died at call \(crash)")
            if crash % 2 == 0 {
                // A collector that lets go of every claim may come first.
                var options = Collector.Options()
                options.releasesClaims = true
                var collector = Collector(try CollectTests.open(store, estate), options)
                _ = try collector.run()
            }
            #expect(try repair(store, from: [twin], seed: 11).isWhole, "died at call \(crash)")
            try expectWhole(store, "died at call \(crash)")
        }
    }
}
