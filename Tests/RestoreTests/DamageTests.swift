import Glibc
import Platform
import Repository
import Restore
import Support
import Synchronization
import Testing

/// A damaged snapshot never gives a wrong file: what is damaged is named and left out, the rest comes back.
@Suite struct DamageTests {
    @Test(arguments: 0..<12)
    func aFlippedBitNeverRestoresWrongBytes(round: Int) throws {
        let estate = try Estate(seed: UInt64(round) + 50)
        var seed = Seed(UInt64(round))
        for number in 0..<40 { try write(seed.bytes(20_000 + number * 3000), "\(estate.source)/file-\(number)") }
        try write(seed.bytes(3_000_000), "\(estate.source)/large")
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let packs = estate.store.keys.filter { $0.hasPrefix("packs/") }
        try #require(!packs.isEmpty)
        for _ in 0..<3 {
            estate.store.alter(packs[seed.below(packs.count)]) { bytes in
                bytes[seed.below(bytes.count)] ^= 1 << UInt8(seed.below(8))
            }
        }
        let report: RestoreReport
        do {
            report = try estate.restore(snapshot, to: "target")
        } catch let failure as Failure {
            // The flip took the tree itself, above everything.
            #expect(failure.code == .damaged)
            return
        }
        let place = estate.temporary("target") + estate.source
        var missing = 0
        for entry in try Directory(at: estate.source).entries() {
            let name = String(decoding: entry.name, as: UTF8.self)
            guard exists("\(place)/\(name)") else {
                missing += 1
                continue
            }
            #expect(try read("\(place)/\(name)") == read("\(estate.source)/\(name)"), "\(name) has wrong bytes")
        }
        #expect((report.failure?.code == .partial) == (missing > 0))
        if report.directories > 0, exists(place) {
            let left = try Directory(at: place).entries().map { String(decoding: $0.name, as: UTF8.self) }
            #expect(left.filter { $0.hasPrefix(".breakwater-") } == [])
        }
    }

    @Test func aDamagedFileIsNamedAndItsNeighboursCome() throws {
        let estate = try Estate()
        var seed = Seed(3)
        // Each of its own pack frame: larger than what is grouped.
        for number in 0..<8 { try write(seed.bytes(2_000_000), "\(estate.source)/file-\(number)") }
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let pack = try #require(estate.store.keys.filter { $0.hasPrefix("packs/") }.first)
        estate.store.alter(pack) { $0[$0.count / 2] ^= 1 }
        let report = try estate.restore(snapshot, to: "target")
        #expect(report.failure?.code == .partial)
        #expect(report.lost >= 1 && report.lost < 4)
        #expect(report.files + report.lost == 8)
        #expect(report.problems.allSatisfy { $0.path.hasPrefix("\(estate.source)/file-") })
    }

    @Test func aLostPackLeavesNothingHalfRestored() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let plan = try estate.plan(snapshot)
        for pack in estate.store.keys.filter({ $0.hasPrefix("packs/") }) { estate.store.lose(pack) }
        let report = try TreeRestore.run(
            plan, to: AbsolutePath(estate.temporary("target")), surroundings: estate.surroundings)
        #expect(report.failure?.code == .partial)
        let place = estate.temporary("target") + estate.source
        if exists("\(place)/contents") {
            let left = try Directory(at: "\(place)/contents").entries().map { String(decoding: $0.name, as: UTF8.self) }
            #expect(left.filter { !["random-0", "hole-alone", "zeros"].contains($0) } == [])
        }
    }

    @Test func aCancelledRestoreLeavesNoTemporaries() throws {
        let estate = try Estate()
        var seed = Seed(3)
        for number in 0..<50 { try write(seed.bytes(100_000), "\(estate.source)/file-\(number)") }
        try write(seed.bytes(5_000_000), "\(estate.source)/large")
        let (snapshot, _, _) = try estate.backUp([estate.source])
        var options = RestoreOptions()
        let calls = Mutex(0)
        options.watch = { _ in
            let count = calls.withLock { calls in
                calls += 1
                return calls
            }
            if count >= 20 { throw Failure(.cancelled, "asked to stop") }
        }
        #expect(throws: Failure(.cancelled, "")) { try estate.restore(snapshot, to: "target", options: options) }
        let place = estate.temporary("target") + estate.source
        let left = try Directory(at: place).entries().map { String(decoding: $0.name, as: UTF8.self) }
        #expect(left.filter { $0.hasPrefix(".breakwater-") } == [])
        // And it can be gone on with.
        options.watch = nil
        options.existing = .update
        #expect(try estate.restore(snapshot, to: "target", options: options).failure == nil)
        #expect(try TreeComparison.differences(estate.source, place) == [])
    }

    /// No other vault helps against what stands in the way.
    @Test func whatStandsInTheWayIsSaidAndLeft() throws {
        let estate = try Estate()
        try write([1], "\(estate.source)/file")
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let place = estate.temporary("target") + estate.source + "/file"
        try Directory.make(at: Array(place.utf8))
        var options = RestoreOptions()
        options.existing = .update
        let report = try estate.restore(snapshot, to: "target", options: options)
        let failure = try #require(report.failure)
        #expect(report.lost == 1 && failure.advice.contains("stands in the way"))
        #expect(!failure.advice.contains("--also"))
        #expect(try Directory(at: place).entries().isEmpty)
    }

    @Test func aFullDiskEndsTheRestore() throws {
        let estate = try Estate()
        var seed = Seed(3)
        for number in 0..<30 { try write(seed.bytes(100_000), "\(estate.source)/file-\(number)") }
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let mount = estate.temporary("small")
        try Directory.make(at: Array(mount.utf8))
        guard Glibc.mount("tmpfs", mount, "tmpfs", 0, "size=1m") == 0 else { return }  // needs root
        defer { umount2(mount, 2) }
        #expect(throws: Failure(.full, "")) { try estate.restore(snapshot, to: "small") }
    }
}
