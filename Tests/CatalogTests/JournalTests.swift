import Catalog
import GRDB
import Model
import Platform
import Testing

@Suite struct JournalTests {
    static let guards = ["journalIsNotChanged", "journalIsNotCut", "journalIsNotReplaced"]

    /// A journal of ten entries at the seconds 1 to 10.
    static func filled() async throws -> Bench {
        let bench = try Bench()
        let catalog = try bench.open()
        for second in 1...10 {
            try await catalog.write { _ = try $0.journal(Bench.event("event.\(second)", at: Int64(second))) }
        }
        try catalog.close()
        return bench
    }

    static func verdict(_ bench: Bench) async throws -> JournalVerdict {
        try await bench.open().read { try $0.verifyJournal() }
    }

    @Test func anUntouchedChainHolds() async throws {
        let verdict = try await Self.verdict(Self.filled())
        #expect(verdict.broken == nil)
        #expect(verdict.entries == 10)
    }

    @Test func entriesAreFoundByTimeAndInPages() async throws {
        let catalog = try await Self.filled().open()
        let some = try await catalog.read {
            try $0.journal(from: Timestamp(seconds: 3), to: Timestamp(seconds: 6), after: 0, limit: 100)
        }
        #expect(some.map(\.sequence) == [3, 4, 5])
        #expect(some.first?.event == Bench.event("event.3", at: 3))
        let page = try await catalog.read { try $0.journal(from: nil, to: nil, after: 7, limit: 2) }
        #expect(page.map(\.sequence) == [8, 9])
        #expect(page.last?.previous == page.first?.hash)
    }

    @Test(arguments: [
        "UPDATE journal SET body = replace(body, 'li', 'wu') WHERE sequence = 4",
        "DELETE FROM journal WHERE sequence = 10",
        "INSERT OR REPLACE INTO journal SELECT 4, previous, at, body, hash FROM journal WHERE sequence = 5",
        "DELETE FROM journalHead",
        "UPDATE journalHead SET sequence = 3",
    ]) func theDatabaseItselfRefusesChanges(_ sql: String) async throws {
        let bench = try await Self.filled()
        #expect(throws: DatabaseError.self) { try bench.tamper(sql) }
        #expect(try await Self.verdict(bench).broken == nil)
    }

    /// Somebody who first takes the triggers away and puts them back afterwards.
    @Test(arguments: [
        ("UPDATE journal SET body = replace(body, 'li', 'wu') WHERE sequence = 4", 4),
        ("UPDATE journal SET at = at + 1 WHERE sequence = 6", 6),
        ("UPDATE journal SET hash = previous WHERE sequence = 7", 7),
        ("UPDATE journal SET previous = hash WHERE sequence = 2", 2),
        ("DELETE FROM journal WHERE sequence = 5", 5),
        ("DELETE FROM journal WHERE sequence = 10", 10),
        ("DELETE FROM journal WHERE sequence > 0", 1),
    ]) func whoGoesRoundTheTriggersBreaksTheChain(_ sql: String, _ broken: UInt64) async throws {
        let bench = try await Self.filled()
        let saved = try await DatabaseQueue(path: bench.path).read { database in
            try Self.guards.compactMap {
                try String.fetchOne(database, sql: "SELECT sql FROM sqlite_master WHERE name = ?", arguments: [$0])
            }
        }
        #expect(saved.count == Self.guards.count)
        for name in Self.guards { try bench.tamper("DROP TRIGGER \(name)") }
        try bench.tamper(sql)
        for trigger in saved { try bench.tamper(trigger) }
        #expect(try await Self.verdict(bench).broken?.sequence == broken)
    }

    @Test func missingTriggersShow() async throws {
        let bench = try await Self.filled()
        try bench.tamper("DROP TRIGGER journalIsNotCut")
        let verdict = try await Self.verdict(bench)
        #expect(verdict.broken?.reason.contains("triggers") == true)
    }
}
