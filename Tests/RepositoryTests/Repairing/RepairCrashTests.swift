import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A repair that dies at any call to its store leaves nothing worse than it found it, and is finished by the next.
struct RepairCrashTests {
    private let estate: RepairEstate

    init() throws { estate = try RepairEstate.shared.get() }

    /// Something of every way to repair. The other vault has no segments: those are made anew.
    private func made() throws -> (damaged: StrictStore, twin: StrictStore) {
        let store = estate.store.copy()
        let packs = estate.keys("packs")
        store.alter(packs[0]) { $0[$0.count / 2] ^= 1 }
        store.forget(try #require(packs.last))
        let flipped = ["sets", "manifests", "segments", "slots", "sitekeys", "origins", "checkpoints"]
        for key in flipped.compactMap({ estate.keys($0).first }) { store.alter(key) { $0[$0.count / 3] ^= 1 } }
        store.forget(try #require(estate.keys("envelopes").first))
        let records = estate.keys("log")
        store.alter(records[1]) { $0[9] ^= 1 }
        store.alter(records[2]) { $0 = [7] }
        store.forget(records[3])
        store.forget(try #require(records.last))
        return (store, try estate.twin(without: ["segments"]))
    }

    /// Between two changes there are only calls that change nothing: to die at one of them is to die before the next change.
    @Test(arguments: [false, true]) func aRepairMayDieAtAnyCall(lastCallIsDone: Bool) throws {
        let (damaged, twin) = try made()
        let counter = FaultyStore(damaged.copy(), seed: 1) { _ in }
        let report = try estate.repair(counter, from: [twin])
        #expect(report.isWhole, "\(report.left)")
        #expect(counter.changes.count >= 15)
        let truth = estate.damage.snapshots.count
        for crash in counter.changes {
            let store = damaged.copy()
            let faulty = FaultyStore(store, seed: 1) {
                $0.crashAfter = crash
                $0.crashingCallIsDone = lastCallIsDone
            }
            #expect(throws: (any Error).self) { try estate.repair(faulty, from: [twin]) }
            // With the other vault everything that can be told reads back, as before.
            let helped = try estate.damage.outcomes(try estate.open(store, also: [try estate.keyless(twin)]))
            #expect(helped.values.allSatisfy { $0 == .right } && helped.count >= truth - 1, "died at call \(crash)")
            #expect(try estate.repair(store, from: [twin], seed: 11).isWhole, "died at call \(crash)")
            #expect(try estate.check(store).findings == [], "died at call \(crash)")
            #expect(try estate.isRight(store), "died at call \(crash)")
        }
    }

    @Test(arguments: 0..<6) func lostAnswersAreSettled(seed: UInt64) throws {
        let (store, twin) = try made()
        let faulty = FaultyStore(store, seed: seed) { $0.lostAcknowledgements = 300 }
        #expect(try estate.repair(faulty, from: [twin]).isWhole)
        #expect(try estate.check(store).findings == [] && estate.isRight(store))
    }

    /// A collector that lets go of every claim, and runs to its end between any two calls of the repair.
    @Test func aCollectorBesideItLosesNothing() throws {
        let (store, twin) = try made()
        let count = FaultyStore(store.copy(), seed: 1) { _ in }
        _ = try estate.repair(count, from: [twin])
        for call in count.changes.suffix(12) {
            let target = store.copy()
            _ = try? estate.repair(FaultyStore(target, seed: 1) { $0.crashAfter = call }, from: [twin])
            // Until the log is whole again nobody collects.
            if let repository = try? estate.open(target, also: [try estate.keyless(twin)]) {
                var options = Collector.Options()
                options.releasesClaims = true
                var collector = Collector(repository, options)
                _ = try? collector.run()
            }
            #expect(try estate.repair(target, from: [twin], seed: 12).isWhole)
            #expect(try estate.check(target).findings == [] && estate.isRight(target))
        }
    }
}
