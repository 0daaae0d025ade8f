import GRDB
package import Model
package import Platform

/// The append-only, hash-chained journal.
///
/// `hash(n) = SHA-256("breakwater journal v1", n, hash(n - 1), canonical JSON of event n)`, joined by line feeds; the
/// first entry's previous hash is zeros. Triggers refuse changes and deletions; whoever goes round them breaks the
/// chain, and `verify` names the first link that does not hold.
enum JournalChain {
    private static let zeros = Digest.zero.hex

    static func hash(sequence: UInt64, previous: String, body: String) -> String {
        SHA256.hash(Array("breakwater journal v1\n\(sequence)\n\(previous)\n\(body)".utf8)).hex
    }

    static func append(_ event: JournalEvent, to database: Database) throws -> JournalEntry {
        let head = try Row.fetchOne(database, sql: "SELECT sequence, hash FROM journalHead")
        let sequence: UInt64 = try head.map { try number($0["sequence"]) + 1 } ?? 1
        let previous: String = head?["hash"] ?? zeros
        let body = try CanonicalJSON.text(event)
        let hash = hash(sequence: sequence, previous: previous, body: body)
        try database.execute(
            sql: "INSERT INTO journal (sequence, previous, at, body, hash) VALUES (?, ?, ?, ?, ?)",
            arguments: [Int64(sequence), previous, event.when.nanoseconds, body, hash])
        try database.execute(
            sql: """
                INSERT INTO journalHead (one, sequence, hash) VALUES (1, ?1, ?2)
                ON CONFLICT (one) DO UPDATE SET sequence = ?1, hash = ?2
                """, arguments: [Int64(sequence), hash])
        return JournalEntry(sequence: sequence, previous: previous, event: event, hash: hash)
    }

    static func entry(_ row: Row) throws -> JournalEntry {
        let body: String = row["body"]
        return JournalEntry(
            sequence: try number(row["sequence"]), previous: row["previous"],
            event: try CanonicalJSON.decode(JournalEvent.self, from: body, wrong: .damaged), hash: row["hash"])
    }

    private static func number(_ value: Int64) throws(Failure) -> UInt64 {
        guard let number = UInt64(exactly: value) else {
            throw Failure(.damaged, "The journal has an entry with the number \(value)")
        }
        return number
    }
}

extension Reading {
    /// Entries from `from` up to but not including `to`, after the entry numbered `after`, oldest first.
    package func journal(
        from: Timestamp?, to: Timestamp?, after: UInt64, limit: Int
    ) throws -> [JournalEntry] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT sequence, previous, body, hash FROM journal
                WHERE sequence > ?1 AND (?2 IS NULL OR at >= ?2) AND (?3 IS NULL OR at < ?3)
                ORDER BY sequence LIMIT ?4
                """, arguments: [Int64(clamping: after), from?.nanoseconds, to?.nanoseconds, limit]
        ).map(JournalChain.entry)
    }

    /// Walks the whole chain, an entry at a time, and names the first link that does not hold.
    package func verifyJournal() throws -> JournalVerdict {
        var verdict = JournalVerdict(entries: 0, head: Digest.zero.hex, broken: nil)
        func broken(_ sequence: UInt64, _ reason: String) -> JournalVerdict {
            verdict.broken = .init(sequence: sequence, reason: reason)
            return verdict
        }
        let rows = try Row.fetchCursor(
            database, sql: "SELECT sequence, previous, at, body, hash FROM journal ORDER BY sequence")
        while let row = try rows.next() {
            let expected = verdict.entries + 1
            let body: String = row["body"]
            let hash: String = row["hash"]
            guard row["sequence"] as Int64 == Int64(expected) else { return broken(expected, "the entry is missing") }
            guard row["previous"] as String == verdict.head else {
                return broken(expected, "it does not follow from the entry before it")
            }
            guard hash == JournalChain.hash(sequence: expected, previous: verdict.head, body: body) else {
                return broken(expected, "its hash does not fit what it says")
            }
            guard let event = try? CanonicalJSON.decode(JournalEvent.self, from: body, wrong: .damaged),
                event.when.nanoseconds == row["at"] as Int64
            else { return broken(expected, "its time stands wrong in the index") }
            verdict.entries = expected
            verdict.head = hash
        }
        let head = try Row.fetchOne(database, sql: "SELECT sequence, hash FROM journalHead")
        let sequence = (head?["sequence"] as Int64?) ?? 0
        if sequence != Int64(verdict.entries) || ((head?["hash"] as String?) ?? Digest.zero.hex) != verdict.head {
            return broken(verdict.entries + 1, "the chain should go on to entry \(sequence)")
        }
        let triggers = try Set(String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        if !triggers.isSuperset(of: Schema.journalTriggers) {
            return broken(verdict.entries + 1, "the triggers that guard the journal are gone")
        }
        return verdict
    }
}
