import Platform
import Replication
import Repository
import Sealing
import Support
import Testing

/// What the owner changes of the keys is carried on by copies, without a key.
struct KeyCopyTests {
    private func change(_ pair: Pair) throws -> KeyChange {
        try KeyChange([try pair.open(pair.origin)], surroundings: pair.surroundings)
    }

    private var key: SlotKey { .passphrase(Array("correct horse".utf8)) }

    @Test func aCopyTakesUpANewGenerationAndOpensByItAlone() throws {
        let pair = try Pair(seed: 60)
        let content = pair.surroundings.random(400_000)
        let first = try pair.backUp(content)
        _ = try pair.replicator().run()
        _ = try change(pair).rotate([key], cost: .light)
        let second = try pair.backUp(content + [1, 2, 3])
        _ = try pair.replicator().run()
        #expect(try pair.open(pair.copy).log.state.newestReader == 2)
        #expect(try pair.content(of: first, in: pair.copy) == content)
        #expect(try pair.content(of: second, in: pair.copy) == content + [1, 2, 3])
        _ = try change(pair).retire([key], cost: .light)
        _ = try pair.replicator().run()
        let copy = try pair.open(pair.copy)
        #expect(copy.log.state.oldestReader == 2)
        var only = copy.keys
        only.readers = copy.keys.readers.filter { $0.generation == 2 }
        only.site = nil
        let narrow = try Repository.open(
            pair.copy, .granted(only), heads: NoHeadMemory(), surroundings: pair.surroundings)
        // The site key is sealed to the new one too.
        #expect(narrow.keys.site != nil)
        for id in [first, second] { _ = try narrow.findSnapshot(id.hex) }
        // Nothing more is brought when nothing changed.
        let keys = pair.copy.keys
        let again = try pair.replicator().run()
        #expect(again.bytesSent == 0)
        #expect(pair.copy.keys == keys)
    }

    @Test func aFirstCopyAfterARetirementNeedsNoOldKey() throws {
        let pair = try Pair(seed: 61)
        let content = pair.surroundings.random(300_000)
        let first = try pair.backUp(content)
        _ = try change(pair).rotate([key], cost: .light)
        _ = try change(pair).retire([key], cost: .light)
        // The first envelopes are collected.
        let site = try Repository.open(
            pair.origin, .keyless, site: pair.site, heads: NoHeadMemory(), surroundings: pair.surroundings)
        let needed = try site.log.state.needs(
            of: #require(site.log.state.snapshots[first]), site.objects)
        let gone = site.log.state.objects.filter { $0.key.kind == .envelope && !needed.contains($0.key.digest) }
            .map { ObjectRef(name: $0.key, length: $0.value.length) }
        #expect(gone.count == 1)
        try site.appendAsSite { .condemn(.inline(gone), counted: $0.head) }
        for object in gone { try pair.origin.delete(try object.name.key()) }
        try site.appendAsSite { _ in .collected(.inline(gone)) }
        #expect(try pair.content(of: first, in: pair.origin) == content)
        let report = try pair.replicator().run()
        #expect(report.copied == [first] && report.damaged.isEmpty)
        #expect(try pair.content(of: first, in: pair.copy) == content)
        #expect(try pair.open(pair.copy).keys.site != nil)
        // And what is backed up later leans on it there as here.
        let second = try pair.backUp(content + [9])
        _ = try pair.replicator().run()
        #expect(try pair.content(of: second, in: pair.copy) == content + [9])
    }

    @Test func bothVaultsAreChangedAtOnce() throws {
        let pair = try Pair(seed: 62)
        let content = pair.surroundings.random(300_000)
        let first = try pair.backUp(content)
        _ = try pair.replicator().run()
        let origin = try pair.open(pair.origin)
        func both() throws -> KeyChange {
            let owner = try pair.open(pair.origin)
            var keys = owner.keys
            keys.site = nil
            let other = try Repository.open(
                pair.copy, .granted(keys), heads: NoHeadMemory(), surroundings: pair.surroundings)
            return try KeyChange([owner, other], surroundings: pair.surroundings)
        }
        // A vault that lags behind is brought to the same.
        _ = try KeyChange([origin], surroundings: pair.surroundings).rotate([key], cost: .light)
        #expect(throws: Failure(.refused, "")) { try both().retire([key], cost: .light) }
        let rotation = try both().rotate([key], cost: .light)
        #expect(rotation.generation == 3)
        #expect(try both().retire([key], cost: .light).generation == 3)
        for store in [pair.origin, pair.copy] {
            let repository = try pair.open(store)
            #expect(repository.log.state.oldestReader == 3)
            #expect(repository.keys.readers.map(\.generation) == [3])
            #expect(store.keys.filter { $0.hasPrefix("slots/") }.count == 2)
            #expect(try pair.content(of: first, in: store) == content)
        }
        _ = try pair.replicator().run()
        try both().revoke([pair.bundle.writer(named: "x")])
        #expect(throws: Failure(.refused, "")) {
            try KeyChange([origin, try pair.open(pair.origin)], surroundings: pair.surroundings)
        }
    }

    /// The copy keeps what its origin forgot, sealed to a generation that the origin has retired since: then it has slots of
    /// both under one passphrase, and whatever is changed by it must not lose either. Which slot comes first is chance.
    private enum Change: CaseIterable { case none, replace, replaceInBoth, rewrap, rotate, rotateInBoth }

    @Test(arguments: 0..<4) func noChangeOfKeysLosesWhatACopyStillNeeds(chance: UInt64) throws {
        for change in Change.allCases {
            let pair = try Pair(seed: 70 + chance)
            let content = pair.surroundings.random(50_000)
            let kept = try pair.backUp(content)
            _ = try pair.replicator().run()
            try pair.backUp(content + [1])
            _ = try pair.open(pair.origin).forget([kept])
            _ = try self.change(pair).rotate([key], cost: .light)
            _ = try self.change(pair).retire([key], cost: .light)
            _ = try pair.replicator().run()
            let state = try pair.open(pair.copy).log.state
            try #require(state.oldestReader == 1 && state.newestReader == 2)
            let new = SlotKey.passphrase(Array("new".utf8))
            func keys(_ stores: [StrictStore]) throws -> KeyChange {
                try KeyChange(try stores.map { try pair.open($0) }, surroundings: pair.surroundings)
            }
            var opener = key
            switch change {
            case .none: break
            case .replace, .replaceInBoth, .rewrap:
                let stores = change == .replaceInBoth ? [pair.origin, pair.copy] : [pair.copy]
                _ = try keys(stores).replace(key, by: new, onlyWay: change == .rewrap, cost: .light)
                opener = new
            case .rotate: #expect(try keys([pair.copy]).rotate([key], cost: .light).left.isEmpty)
            case .rotateInBoth: #expect(try keys([pair.origin, pair.copy]).rotate([key], cost: .light).left.isEmpty)
            }
            let copy = try Repository.open(
                pair.copy, .slot(opener), heads: NoHeadMemory(), surroundings: pair.surroundings)
            let found = try copy.findSnapshot(kept.hex)
            #expect(found.id == kept, "\(change)")
            #expect(try Checker.check(copy).findings.isEmpty, "\(change)")
        }
    }

    /// Neither of the two slots goes while a snapshot needs what it alone has.
    @Test func theLastSlotWithKeysThatSomethingNeedsStays() throws {
        let pair = try Pair(seed: 75)
        let kept = try pair.backUp(pair.surroundings.random(50_000))
        _ = try pair.replicator().run()
        try pair.backUp([1])
        _ = try pair.open(pair.origin).forget([kept])
        _ = try change(pair).rotate([key], cost: .light)
        _ = try change(pair).retire([key], cost: .light)
        let before = try Set(pair.open(pair.copy).slots().map(\.digest))
        _ = try pair.replicator().run()
        let copy = try pair.open(pair.copy)
        let change = try KeyChange([copy], surroundings: pair.surroundings)
        let old = try #require(before.first)
        #expect(throws: Failure(.refused, "")) { try change.remove(old, knowing: [key]) }
        _ = try copy.forget([kept])
        try KeyChange([try pair.open(pair.copy)], surroundings: pair.surroundings).remove(old, knowing: [key])
        #expect(try pair.open(pair.copy).slots().count == 1)
    }

    @Test func aCopyOfADestroyedRepositoryIsDestroyed() throws {
        let pair = try Pair(seed: 63)
        try pair.backUp(pair.surroundings.random(100_000))
        _ = try pair.replicator().run()
        let origin = try pair.open(pair.origin)
        _ = try Destruction(ended: [], living: [origin]).run { _, _ in }
        #expect(throws: Failure(.refused, "")) { try pair.replicator().run() }
        #expect(pair.copy.keys.filter { $0.hasPrefix("slots/") } == [])
        #expect(throws: Failure(.refused, "")) { try pair.open(pair.copy) }
        let third = StrictStore("third")
        #expect(throws: Failure(.refused, "")) { try pair.replicator(to: third).run() }
        #expect(third.keys == [])
        // Nor from the copy.
        #expect(throws: Failure(.refused, "")) { try pair.replicator(from: pair.copy, to: third).run() }
        #expect(third.keys == [])
    }
}
