import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A backup that dies at any call to its store leaves nothing half-visible, and lost answers do not confuse it.
struct CrashTests {
    private func calls(_ damage: DamageEstate, _ content: [UInt8]) throws -> Int {
        let store = FaultyStore(damage.store.copy(), seed: 1) { _ in }
        _ = try DamageEstate.backUp(content, into: try damage.open(store))
        return store.calls
    }

    @Test(arguments: [false, true]) func aBackupMayDieAtAnyCall(lastCallIsDone: Bool) throws {
        let damage = try DamageEstate(seed: 70)
        let content = damage.estate.bytes(1_800_000)
        let calls = try calls(damage, content)
        #expect(calls >= 50)
        var visible = 0
        for crash in 0..<calls {
            let store = damage.store.copy()
            let faulty = FaultyStore(store, seed: 1) {
                $0.crashAfter = crash
                $0.crashingCallIsDone = lastCallIsDone
            }
            #expect(throws: (any Error).self) {
                try DamageEstate.backUp(content, into: try damage.open(faulty))
            }
            let report = try damage.check(store)
            #expect(report.findings == [], "died at call \(crash)")
            let repository = try damage.open(store, seed: 100)
            let outcomes = try damage.outcomes(repository)
            for id in damage.snapshots { #expect(outcomes[id] == .right, "died at call \(crash)") }
            visible += outcomes.count - damage.snapshots.count
            // And the next backup finds nothing in its way.
            if crash % 7 == 0 {
                let snapshot = try DamageEstate.backUp(content, into: repository)
                #expect(try DamageEstate.everything(of: snapshot, in: repository).count > content.count)
                #expect(try damage.check(store).findings == [])
            }
        }
        // Dying after the record was put, or while its answer was under way, leaves a whole snapshot.
        #expect(visible <= 8)
    }

    @Test(arguments: 0..<12) func lostAcknowledgementsAreSettled(seed: UInt64) throws {
        let damage = try DamageEstate(seed: 71)
        let content = damage.estate.bytes(300_000)
        let store = damage.store.copy()
        let faulty = FaultyStore(store, seed: seed) { $0.lostAcknowledgements = 400 }
        let snapshot = try DamageEstate.backUp(content, into: try damage.open(faulty, seed: seed))
        #expect(try damage.check(store).findings == [])
        let repository = try damage.open(store)
        let found = try repository.findSnapshot(snapshot.id.hex)
        #expect(try DamageEstate.everything(of: found, in: repository).count > content.count)
        let outcomes = try damage.outcomes(repository)
        for id in damage.snapshots { #expect(outcomes[id] == .right) }
    }

    @Test(arguments: 0..<6) func latePutsOfTheSameObjectsChangeNothing(seed: UInt64) throws {
        let damage = try DamageEstate(seed: 72)
        let content = damage.estate.bytes(300_000)
        let store = damage.store.copy()
        let faulty = FaultyStore(store, seed: seed) {
            $0.lostAcknowledgements = 200
            $0.lateDuplicates = 400
        }
        _ = try DamageEstate.backUp(content, into: try damage.open(faulty, seed: seed))
        #expect(try damage.check(store).findings == [])
        #expect(try damage.open(store).log.state.snapshots.count == 3)
    }
}
