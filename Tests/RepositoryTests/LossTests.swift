import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// Worse than a flipped byte: objects cut short, emptied, exchanged, gone.
struct LossTests {
    enum Loss: String, CaseIterable {
        case cutShort, cutToAFew, longer, empty, exchanged, gone
        /// Of a record, neither half is left.
        static let ofBothHalves: [Loss] = [.cutToAFew, .empty, .exchanged, .gone]
    }

    /// Does to an object of `keys` what `loss` says.
    private func inflict(_ loss: Loss, on key: String, among keys: [String], _ store: StrictStore) throws {
        switch loss {
        case .cutShort: store.alter(key) { $0.removeLast() }
        case .cutToAFew: store.alter(key) { $0 = Array($0.prefix(40)) }
        case .longer: store.alter(key) { $0.append(0) }
        case .empty: store.alter(key) { $0 = [] }
        case .exchanged:
            let other = try #require(keys.first { $0 != key })
            let bytes = try store.get(try #require(StoreKey(other)), atMost: 1 << 30)
            store.alter(key) { $0 = bytes }
        case .gone: store.lose(key)
        }
    }

    @Test(arguments: ["packs", "manifests", "sets", "envelopes", "segments"], Loss.allCases)
    func anObjectOfTheLogIsNamedAndTheOtherVaultHasIt(folder: String, loss: Loss) throws {
        let damage = try DamageEstate(seed: 60)
        let keys = damage.keys(folder)
        for key in keys {
            let store = damage.store.copy()
            try inflict(loss, on: key, among: keys, store)
            let report = try damage.check(store)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.snapshotsTouched.isEmpty == (folder == "segments"))
            #expect(try damage.check(store, readData: false).findings.map(\.object) == [key])
            let alone = try damage.outcomes(try damage.open(store))
            #expect(!alone.values.contains(.wrong))
            if folder == "segments" { #expect(alone.values.allSatisfy { $0 == .right }) }
            let twin = try damage.open(damage.store.copy())
            let helped = try damage.outcomes(try damage.open(store, also: [twin]))
            #expect(helped.count == 2 && helped.values.allSatisfy { $0 == .right })
        }
    }

    @Test(arguments: Loss.allCases) func ofTwoSlotsOneIsEnough(loss: Loss) throws {
        let damage = try DamageEstate(seed: 61)
        let keys = damage.keys("slots")
        for key in keys {
            let store = damage.store.copy()
            // Both slots hold the same bytes: another object is what is put in its place.
            try inflict(loss, on: key, among: damage.keys("manifests"), store)
            let report = try damage.check(store)
            // That a slot was there at all, only the other copy tells, and not its name.
            let named = loss == .gone ? String(key.prefix(while: { $0 != "." })) : key
            #expect(report.findings.map(\.object) == [named])
            #expect(try damage.outcomes(try damage.open(store)).values.allSatisfy { $0 == .right })
        }
    }

    @Test(arguments: Loss.ofBothHalves) func aLostRecordIsNamedAndWhatCameBeforeItIsRead(loss: Loss) throws {
        let damage = try DamageEstate(seed: 62)
        let keys = damage.keys("log")
        for key in keys.dropFirst().dropLast(loss == .gone ? 1 : 0) {
            let store = damage.store.copy()
            try inflict(loss, on: key, among: keys, store)
            let repository = try damage.open(store)
            let report = try Checker.check(repository)
            #expect(report.findings.contains { $0.object == key })
            let outcomes = try damage.outcomes(repository)
            #expect(outcomes.values.allSatisfy { $0 == .right })
            // What is known is not passed off as the latest, and nobody appends to a log of which a part is not known.
            #expect(throws: Failure(.damaged, "")) { try repository.findSnapshot("latest:desk") }
            #expect(throws: Failure(.damaged, "")) { try repository.beginBackup() }
        }
    }

    /// What a copier keeps beside the data.
    private func mirrored(_ damage: DamageEstate) throws -> Repository {
        let twin = StrictStore("second")
        let original = damage.store
        let vault = try damage.open(original).vault
        for key in original.keys {
            let bytes = try original.get(try #require(StoreKey(key)), atMost: 1 << 30)
            try twin.put(try #require(StoreKey(key)), bytes, use: .data)
            if key.hasPrefix("log/") {
                try twin.put(try #require(StoreKey("origins/\(vault)/\(key)")), bytes, use: .data)
            }
        }
        return try damage.open(twin)
    }

    @Test(arguments: Loss.ofBothHalves) func aLostRecordIsTakenFromTheMirrorInTheOtherVault(loss: Loss) throws {
        let damage = try DamageEstate(seed: 63)
        let keys = damage.keys("log")
        let twin = try mirrored(damage)
        for key in keys.dropFirst().dropLast(loss == .gone ? 1 : 0) {
            let store = damage.store.copy()
            try inflict(loss, on: key, among: keys, store)
            let repository = try damage.open(store, also: [twin])
            let report = try Checker.check(repository)
            #expect(report.findings.map(\.object) == [key])
            #expect(report.findings.first?.recovery == .otherVault("second"))
            let outcomes = try damage.outcomes(repository)
            #expect(outcomes.count == 2 && outcomes.values.allSatisfy { $0 == .right })
            #expect(throws: Failure(.damaged, "")) { try repository.beginBackup() }
        }
    }

    @Test func aDamagedMirrorIsNamed() throws {
        let damage = try DamageEstate(seed: 64)
        let twin = try mirrored(damage)
        let store = try #require(twin.store as? StrictStore)
        let key = try #require(store.keys.first { $0.hasPrefix("origins/") })
        #expect(try Checker.check(twin).findings == [])
        store.alter(key) { $0[9] ^= 1 }
        let half = try Checker.check(twin).findings
        #expect(half.map(\.object) == [key] && half.map(\.damage) == [.half])
        store.alter(key) { $0 = [1, 2, 3] }
        #expect(try Checker.check(twin).findings.map(\.damage) == [.unreadable])
    }

    /// Remembers as a client does.
    private final class Memory: HeadMemory {
        private let head = Monitor<LogHead?>(nil)
        func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? { head.access { $0 } }
        func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {
            self.head.access { $0 = head }
        }
    }

    @Test func aLogThatWentBackIsRefusedAndOneThatIsDamagedIsRead() throws {
        let damage = try DamageEstate(seed: 65)
        let memory = Memory()
        _ = try damage.open(damage.store, heads: memory)
        let last = try #require(damage.keys("log").last)
        let rolledBack = damage.store.copy()
        rolledBack.lose(last)
        #expect(throws: Failure(.refused, "")) { try damage.open(rolledBack, heads: memory) }
        let damaged = damage.store.copy()
        damaged.alter(last) { $0 = [0] }
        let repository = try damage.open(damaged, heads: memory)
        #expect(try damage.outcomes(repository).values.allSatisfy { $0 == .right })
        // What was seen is not forgotten over it.
        #expect(throws: Failure(.refused, "")) { try damage.open(rolledBack, heads: memory) }
    }

    @Test func strangersAreListedAndMalformedNamesAreDamage() throws {
        let damage = try DamageEstate(seed: 66)
        let store = damage.store.copy()
        try store.put(try #require(StoreKey("notes/readme.txt")), [1], use: .data)
        try store.put(try #require(StoreKey("packs/ab/short")), [1], use: .data)
        try store.put(try #require(StoreKey("log/12")), [1], use: .data)
        let orphan = ObjectName(kind: .pack, digest: .zero, session: .none).path
        try store.put(try #require(StoreKey(orphan)), [1, 2], use: .data)
        let report = try damage.check(store)
        #expect(report.strangers == ["notes/readme.txt"])
        #expect(report.findings.map(\.object) == ["log/12", "packs/ab/short"])
        #expect(report.findings.allSatisfy { $0.damage == .malformedName })
        #expect(report.orphans == 1 && report.orphanBytes == 2)
    }

    @Test func aPackThatWasLostIsStoredAgainRatherThanLeanedOn() throws {
        let damage = try DamageEstate(seed: 67)
        let content = damage.estate.bytes(400_000)
        let store = damage.store.copy()
        let first = try DamageEstate.backUp(content, into: try damage.open(store, seed: 1))
        let before = Set(damage.keys("packs"))
        let lost = store.keys.filter { $0.hasPrefix("packs/") && !before.contains($0) }
        for key in lost { store.lose(key) }
        let second = try DamageEstate.backUp(content, into: try damage.open(store, seed: 2))
        #expect(second.part.storedBytes >= 400_000)
        let report = try damage.check(store)
        #expect(Set(report.findings.map(\.object)) == Set(lost))
        #expect(report.snapshotsTouched == [first.id])
    }
}
