import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A change of keys that dies at any call to its store leaves a repository that opens, and can be made again.
struct KeyCrashTests {
    enum Verb: CaseIterable { case add, replace, remove, rotate, retire, revoke, destroy }

    /// A store in the state in which the verb begins.
    private func begin(_ verb: Verb, _ keys: KeyEstate) throws -> StrictStore {
        if verb == .remove { _ = try keys.change(keys.store).add(keys.second, cost: .light) }
        if verb == .retire { _ = try keys.change(keys.store).rotate([keys.first], cost: .light) }
        return keys.store
    }

    private func perform(_ verb: Verb, _ keys: KeyEstate, _ store: any ObjectStore, again: Bool = false) throws {
        let seed: UInt64 = again ? 400 : 200
        if verb == .destroy {
            let look = try Repository.open(
                store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(seed))
            let isEnded = look.log.state.isDestroyed
            let living = isEnded ? [] : [try keys.open(store, seed: seed)]
            _ = try Destruction(ended: isEnded ? [look] : [], living: living).run { _, _ in }
            return
        }
        // After a replacement that was cut short, one of the two opens.
        let opener = again && (try? keys.open(store)) == nil ? keys.second : keys.first
        let change = try keys.change(store, opener, seed: seed)
        switch verb {
        case .add: _ = try change.add(keys.second, cost: .light)
        case .replace: _ = try change.replace(keys.first, by: keys.second, cost: .light)
        case .remove:
            let own = try change.vaults[0].slots().first { (try? $0.slot?.unwrap(keys.second)) != nil }
            if let own { try change.remove(own.digest) }
        case .rotate: _ = try change.rotate([keys.first], cost: .light)
        case .retire: _ = try change.retire([keys.first], cost: .light)
        case .revoke: try change.revoke([keys.estate.bundle.writer(named: "laptop")])
        case .destroy: break
        }
    }

    @Test(arguments: Verb.allCases, [false, true])
    func aChangeMayDieAtAnyCall(verb: Verb, lastCallIsDone: Bool) throws {
        let keys = try KeyEstate(seed: 20)
        let start = try begin(verb, keys)
        let counter = FaultyStore(start.copy(), seed: 1) { _ in }
        try perform(verb, keys, counter)
        #expect(counter.calls > 5)
        for crash in 0..<counter.calls {
            let store = start.copy()
            let faulty = FaultyStore(store, seed: 1) {
                $0.crashAfter = crash
                $0.crashingCallIsDone = lastCallIsDone
            }
            #expect(throws: (any Error).self) { try perform(verb, keys, faulty) }
            if verb == .destroy {
                let ended = try Repository.open(
                    store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1)
                ).log.state.isDestroyed
                #expect(try ended || keys.readsBack(store), "died at call \(crash)")
            } else {
                let opens = (try? keys.readsBack(store)) ?? false
                #expect(try opens || keys.readsBack(store, keys.second), "\(verb) died at call \(crash)")
            }
            guard crash % 3 == 0 else { continue }
            try perform(verb, keys, store, again: true)
            switch verb {
            case .destroy:
                #expect(throws: Failure(.refused, "")) { try keys.open(store) }
                #expect(store.keys.filter { $0.hasPrefix("slots/") } == [])
            case .replace:
                #expect(throws: Failure(.refused, "")) { try keys.open(store) }
                #expect(try keys.readsBack(store, keys.second) && keys.takesBackups(store, keys.second))
            default: #expect(try keys.readsBack(store) && keys.takesBackups(store))
            }
            if verb == .retire { #expect(try keys.open(store).keys.readers.map(\.generation) == [2]) }
        }
    }

    @Test(arguments: 0..<6) func lostAnswersAreSettled(seed: UInt64) throws {
        let keys = try KeyEstate(seed: 21)
        let faulty = FaultyStore(keys.store, seed: seed) { $0.lostAcknowledgements = 300 }
        for verb in [Verb.rotate, .retire, .add, .remove, .revoke] { try perform(verb, keys, faulty) }
        #expect(try keys.readsBack(keys.store) && keys.takesBackups(keys.store))
        try perform(.destroy, keys, faulty)
        #expect(keys.store.keys.filter { $0.hasPrefix("slots/") } == [])
    }
}
