import GRDB
import Glibc
package import Platform

/// The coordinator's database: what is intended and what has been heard. The repositories stand without it.
///
/// SQLite in WAL mode with `synchronous = FULL`: what `write` has returned for survives the loss of power. A
/// transaction that changes a noun and leaves no entry in the journal is refused, so that "state and journal together"
/// is no matter of care; `writeQuietly` is for what is not worth an entry, such as heartbeats.
package final class Catalog: Sendable {
    private let pool: DatabasePool
    package let path: String

    /// Opens the database, makes it where it is not there, and brings its tables up to date.
    /// - Throws: `.refused` when a newer program has written it.
    package init(path: String) throws(Failure) {
        self.path = path
        // Made here, so that it is closed to others from its first byte; the files beside it take after it.
        try Descriptor.open(path, O_RDWR | O_CREAT, mode: 0o600).close()
        pool = try Self.translating("opening the catalog \(path)") {
            var configuration = Configuration()
            configuration.foreignKeysEnabled = true
            configuration.busyMode = .timeout(10)
            configuration.label = "catalog"
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let pool = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator
            if try pool.read(migrator.hasBeenSuperseded) {
                throw Failure(
                    .refused, "The catalog was written by a newer coordinator", advice: "Start that version again")
            }
            try migrator.migrate(pool)
            return pool
        }
    }

    /// Reads one consistent state.
    package func read<T: Sendable>(_ body: @escaping @Sendable (Reading) throws -> T) async throws(Failure) -> T {
        try await Self.translating("reading the catalog") {
            try await pool.read { database in try body(Reading(database)) }
        }
    }

    /// Changes nouns and leaves an entry in the journal, all or nothing.
    package func write<T: Sendable>(_ body: @escaping @Sendable (Writing) throws -> T) async throws(Failure) -> T {
        try await Self.translating("writing the catalog") {
            try await pool.write { database in
                let writing = Writing(database)
                let result = try body(writing)
                guard writing.isAccountedFor else {
                    throw Failure(.failed, "A change without an entry in the journal was held back")
                }
                return result
            }
        }
    }

    /// Changes what is not worth an entry in the journal.
    package func writeQuietly<T: Sendable>(_ body: @escaping @Sendable (Writing) throws -> T) async throws(Failure) -> T
    {
        try await Self.translating("writing the catalog") {
            try await pool.write { database in try body(Writing(database)) }
        }
    }

    /// Moves what the write-ahead log holds into the database and closes it.
    package func close() throws(Failure) {
        try Self.translating("closing the catalog") {
            try pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            try pool.close()
        }
    }

    private static func translating<T>(_ context: String, _ body: () throws -> T) throws(Failure) -> T {
        do { return try body() } catch { throw failure(error, context) }
    }

    private static func translating<T: Sendable>(
        _ context: String, _ body: () async throws -> T
    ) async throws(Failure) -> T {
        do { return try await body() } catch { throw failure(error, context) }
    }

    private static func failure(_ error: any Error, _ context: String) -> Failure {
        switch error {
        case let failure as Failure: return failure
        case is CancellationError: return Failure(.cancelled, "\(context) was cancelled")
        case let error as DatabaseError:
            let code: Failure.Code =
                switch error.extendedResultCode {
                case .SQLITE_CONSTRAINT_PRIMARYKEY, .SQLITE_CONSTRAINT_UNIQUE: .exists
                case .SQLITE_CONSTRAINT_FOREIGNKEY: .notFound
                case .SQLITE_CONSTRAINT_TRIGGER: .refused
                default:
                    switch error.resultCode {
                    case .SQLITE_FULL: .full
                    case .SQLITE_CORRUPT, .SQLITE_NOTADB: .damaged
                    default: .failed
                    }
                }
            return Failure(code, "\(context): \(error.message ?? "SQLite error \(error.resultCode.rawValue)")")
        default: return Failure(.failed, context, cause: error)
        }
    }
}
