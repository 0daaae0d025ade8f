import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A log of which a record is lost is read as far as it goes, everybody is told, and it can be given up and go on.
struct InterruptionTests {
    private enum Loss: CaseIterable { case gone, junk, tooLong }

    private func lose(_ number: UInt64, _ loss: Loss, in store: StrictStore) throws {
        let key = try Record.key(number).text
        switch loss {
        case .gone: store.forget(key)
        case .junk: store.alter(key) { $0 = [1, 2, 3] }
        case .tooLong: store.alter(key) { $0 = [UInt8](repeating: 7, count: 5 << 20) }
        }
    }

    @Test func whatIsHiddenBehindALostRecordIsSaid() throws {
        let damage = try DamageEstate(seed: 71)
        #expect(try damage.open(damage.store).log.shortfall == nil)
        for loss in Loss.allCases {
            // Records 1 and 3 are claims, 2 and 4 the commits.
            for (number, hidden) in [(UInt64(1), damage.snapshots), (2, damage.snapshots), (3, [damage.snapshots[1]])] {
                let store = damage.store.copy()
                try lose(number, loss, in: store)
                let repository = try damage.open(store)
                let said = try #require(repository.log.shortfall)
                #expect(said.code == .partial && said.what.contains("record \(number) "))
                for verb in ["void", "check", "repair --from"] { #expect(said.advice.contains(verb)) }
                #expect(repository.log.interruption?.isJunk == (loss != .gone))
                let report = try Checker.check(repository)
                let finding = try #require(report.findings.first { $0.object == (try? Record.key(number).text) })
                #expect(finding.snapshots == hidden.sorted())
                #expect(report.snapshotsTouched == hidden.sorted())
                #expect(report.orphans == 0 && report.notes.contains { $0.contains("interrupted") })
                let failure = #expect(throws: Failure.self) { try repository.findSnapshot(hidden[0].hex) }
                #expect(failure?.code == .damaged && failure?.what.contains("record \(number) ") == true)
            }
        }
    }

    @Test func aByteLostFromEveryRecordHidesNothing() throws {
        let damage = try DamageEstate(seed: 72)
        for change in [{ $0.removeLast() }, { $0.append(0) }, { $0.removeFirst() }] as [(inout [UInt8]) -> Void] {
            let store = damage.store.copy()
            for key in damage.keys("log") { store.alter(key, change) }
            let repository = try damage.open(store)
            #expect(repository.log.shortfall == nil)
            #expect(try damage.outcomes(repository).values.filter { $0 == .right }.count == 2)
            let findings = try Checker.check(repository).findings
            #expect(findings.map(\.object) == damage.keys("log"))
            #expect(findings.allSatisfy { $0.recovery == .secondHalf })
            _ = try DamageEstate.backUp(damage.estate.bytes(100_000), into: try damage.open(store, seed: 5))
        }
    }

    // MARK: - Giving up

    @Test(arguments: [0, 3, 3 << 20]) func junkAtTheEndIsVoidedAndBackupsGoOn(length: Int) throws {
        let junk = [UInt8](repeating: 1, count: length)
        let damage = try DamageEstate(seed: 73)
        let store = damage.store
        let next = try damage.open(store).log.state.head + 1
        try store.put(try Record.key(next), junk, use: .log)
        let repository = try damage.open(store)
        let failure = #expect(throws: Failure.self) { try repository.beginBackup() }
        #expect(failure?.code == .damaged && failure?.description.contains("repository void") == true)
        #expect(failure?.description.contains(" \(next)") == true)
        #expect(throws: Failure(.refused, "")) { try repository.planVoid(of: next - 1) }
        #expect(throws: Failure(.refused, "")) { try repository.planVoid(of: next + 1) }
        let plan = try repository.planVoid(of: next)
        #expect(plan.records == 0 && plan.snapshots.isEmpty)
        try repository.void(plan)
        let after = try damage.open(store)
        #expect(after.log.shortfall == nil)
        _ = try DamageEstate.backUp(damage.estate.bytes(100_000), into: after)
        let report = try Checker.check(try damage.open(store))
        #expect(report.findings == [] && report.notes.contains { $0.contains("void") })
        #expect(throws: Failure(.refused, "")) { try after.planVoid(of: next) }
    }

    /// Early records are judged by sets that were rightly collected: a checkpoint holds the judgement, and is found whatever
    /// lies at the end.
    @Test func muchJunkAtTheEndHidesNoCheckpoint() throws {
        let damage = try DamageEstate(seed: 78)
        let store = damage.store
        let sets = damage.keys("sets").count
        let first = try damage.open(store)
        _ = try first.forget([try #require(damage.snapshots.first)])
        for _ in 0..<2 {
            var options = Collector.Options()
            options.releasesClaims = true
            var collector = Collector(first, options)
            _ = try collector.run()
        }
        #expect(damage.keys("sets").count < sets)
        let next = try damage.open(store).log.state.head + 1
        for number in next..<next + 6 { try store.put(try Record.key(number), [1, 2, 3], use: .log) }
        let repository = try damage.open(store)
        #expect(repository.log.state.undecided.isEmpty)
        try repository.void(try repository.planVoid(of: next))
        _ = try DamageEstate.backUp(damage.estate.bytes(100_000), into: try damage.open(store))
    }

    /// Whoever may put objects, a stolen writer say, must not keep everybody from appending for ever.
    @Test(arguments: [2, 1 << 40] as [UInt64]) func junkUnderALaterNumberStopsNobody(distance: UInt64) throws {
        let damage = try DamageEstate(seed: 77)
        let next = try damage.open(damage.store).log.state.head + 1
        try damage.store.put(try Record.key(next + distance), [1, 2, 3], use: .log)
        let repository = try damage.open(damage.store)
        #expect(repository.log.shortfall == nil)
        _ = try repository.claim(.session(.random(.seeded(1))))
    }

    @Test func anAuthenticRecordIsNotVoided() throws {
        let damage = try DamageEstate(seed: 74)
        let repository = try damage.open(damage.store)
        for number in 0...repository.log.state.head + 1 {
            #expect(throws: Failure(.refused, "")) { try repository.planVoid(of: number) }
        }
    }

    @Test func aLostRecordInTheMiddleIsGivenUpWithWhatCameAfterIt() throws {
        for loss in Loss.allCases {
            let damage = try DamageEstate(seed: 75)
            try lose(3, loss, in: damage.store)
            let repository = try damage.open(damage.store)
            let plan = try repository.planVoid(of: 3)
            #expect(plan.records == 1 && plan.snapshots == [damage.snapshots[1]])
            try repository.void(plan)
            let after = try damage.open(damage.store)
            #expect(after.log.shortfall == nil)
            #expect(try damage.outcomes(after) == [damage.snapshots[0]: .right])
            let third = try DamageEstate.backUp(damage.estate.bytes(100_000), into: after)
            #expect(try damage.open(damage.store).findSnapshot("latest:desk").id == third.id)
        }
    }

    @Test func onlyTheSiteVoids() throws {
        let damage = try DamageEstate(seed: 76)
        try lose(4, .junk, in: damage.store)
        let keyless = try Repository.open(damage.store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(1))
        #expect(throws: Failure(.refused, "")) { try keyless.void(try keyless.planVoid(of: 4)) }
    }
}
