import GRDB

/// The tables. A migration that has been released is never changed; the next change is the next migration.
///
/// A noun's row is its id, the columns that are searched or referred to, and `body`, its canonical JSON. Times are
/// nanoseconds since 1970.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 nouns and journal") { database in
            try database.execute(sql: nouns)
            try database.execute(sql: journal)
        }
        return migrator
    }

    private static let nouns = """
        CREATE TABLE sites (id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE tenants (id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE wrappedKeys (
            tenant TEXT PRIMARY KEY NOT NULL REFERENCES tenants, sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE tenantVaults (
            tenant TEXT NOT NULL REFERENCES tenants, site TEXT NOT NULL REFERENCES sites, body TEXT NOT NULL,
            PRIMARY KEY (tenant, site)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE desktops (
            id TEXT PRIMARY KEY NOT NULL, tenant TEXT NOT NULL REFERENCES tenants,
            site TEXT NOT NULL REFERENCES sites, body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE agents (
            id TEXT PRIMARY KEY NOT NULL, site TEXT NOT NULL REFERENCES sites, body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE enrolmentTokens (
            hash TEXT PRIMARY KEY NOT NULL, site TEXT NOT NULL REFERENCES sites, agent TEXT NOT NULL,
            expires INTEGER NOT NULL, used INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE recoveryPoints (
            id TEXT PRIMARY KEY NOT NULL, tenant TEXT NOT NULL REFERENCES tenants,
            desktop TEXT NOT NULL REFERENCES desktops, snapshot TEXT NOT NULL, taken INTEGER NOT NULL,
            body TEXT NOT NULL, UNIQUE (tenant, snapshot)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX recoveryPointsOfDesktop ON recoveryPoints (desktop, taken);
        CREATE TABLE recoveryPointCopies (
            point TEXT NOT NULL REFERENCES recoveryPoints, site TEXT NOT NULL REFERENCES sites, vault TEXT NOT NULL,
            arrived INTEGER NOT NULL, PRIMARY KEY (point, site)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY NOT NULL, site TEXT NOT NULL REFERENCES sites, tenant TEXT NOT NULL REFERENCES tenants,
            state TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX jobsInTime ON jobs (created, id);
        CREATE INDEX openJobs ON jobs (state) WHERE state IN ('queued', 'leased', 'running', 'cancelling');
        CREATE TABLE recoveryRuns (
            id TEXT PRIMARY KEY NOT NULL, tenant TEXT NOT NULL REFERENCES tenants,
            desktop TEXT NOT NULL REFERENCES desktops, declared INTEGER NOT NULL, state TEXT NOT NULL,
            body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// `journalHead` is where the chain ends: without it, entries missing at the end would not show.
    private static let journal = """
        CREATE TABLE journal (
            sequence INTEGER PRIMARY KEY NOT NULL, previous TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
            hash TEXT NOT NULL
        ) STRICT;
        CREATE INDEX journalInTime ON journal (at);
        CREATE TABLE journalHead (
            one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1), sequence INTEGER NOT NULL, hash TEXT NOT NULL
        ) STRICT;
        CREATE TRIGGER journalIsNotChanged BEFORE UPDATE ON journal
            BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER journalIsNotCut BEFORE DELETE ON journal
            BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER journalIsNotReplaced BEFORE INSERT ON journal
            WHEN EXISTS (SELECT 1 FROM journal WHERE sequence >= NEW.sequence)
            BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER journalHeadStays BEFORE DELETE ON journalHead
            BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
        CREATE TRIGGER journalHeadRises BEFORE UPDATE ON journalHead WHEN NEW.sequence <> OLD.sequence + 1
            BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
        """

    static let journalTriggers: Set<String> = [
        "journalIsNotChanged", "journalIsNotCut", "journalIsNotReplaced", "journalHeadStays", "journalHeadRises",
    ]
}
