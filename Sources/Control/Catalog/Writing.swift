import GRDB
package import Model
package import Platform

/// A transaction: what it saves becomes true together with what it enters in the journal, or not at all.
package final class Writing {
    let database: Database
    package let reading: Reading
    private var saved = false
    private var journalled = false

    init(_ database: Database) {
        self.database = database
        reading = Reading(database)
    }

    var isAccountedFor: Bool { !saved || journalled }

    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try database.execute(sql: sql, arguments: arguments)
        saved = true
    }

    /// Appends a link to the chain.
    @discardableResult
    package func journal(_ event: JournalEvent) throws -> JournalEntry {
        let entry = try JournalChain.append(event, to: database)
        journalled = true
        return entry
    }
}

extension Writing {
    /// Declares a site, or declares it anew.
    package func save(_ site: Site) throws {
        try run(
            "INSERT INTO sites (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            [site.id.text, CanonicalJSON.text(site)])
    }

    /// - Throws: `.exists` when the id is taken.
    package func insert(_ tenant: Tenant, wrappedKeys: [UInt8]) throws {
        try run("INSERT INTO tenants (id, body) VALUES (?, ?)", [tenant.id.text, CanonicalJSON.text(tenant)])
        try run(
            "INSERT INTO wrappedKeys (tenant, sealed) VALUES (?, ?)", [tenant.id.text, DataBytes(wrappedKeys)])
    }

    package func save(_ vault: TenantVault) throws {
        try run(
            """
            INSERT INTO tenantVaults (tenant, site, body) VALUES (?, ?, ?)
            ON CONFLICT (tenant, site) DO UPDATE SET body = excluded.body
            """, [vault.tenant.text, vault.site.text, CanonicalJSON.text(vault)])
    }

    /// - Throws: `.exists` when the id is taken.
    package func insert(_ desktop: Desktop) throws {
        try run(
            "INSERT INTO desktops (id, tenant, site, body) VALUES (?, ?, ?, ?)",
            [desktop.id.text, desktop.tenant.text, desktop.site.text, CanonicalJSON.text(desktop)])
    }

    package func save(_ agent: EnrolledAgent) throws {
        try run(
            """
            INSERT INTO agents (id, site, body) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET site = excluded.site, body = excluded.body
            """, [agent.id.text, agent.site.text, CanonicalJSON.text(agent)])
    }

    /// Only the hash is kept.
    package func insertToken(hash: Digest, site: Site.ID, agent: EnrolledAgent.ID, expires: Timestamp) throws {
        try run(
            "INSERT INTO enrolmentTokens (hash, site, agent, expires) VALUES (?, ?, ?, ?)",
            [hash.hex, site.text, agent.text, expires.nanoseconds])
    }

    /// Uses a token up and says for whom it was; nil when it is unknown, used or expired, without saying which.
    package func useToken(hash: Digest, now: Timestamp) throws -> (site: Site.ID, agent: EnrolledAgent.ID)? {
        try run(
            "UPDATE enrolmentTokens SET used = ?1 WHERE hash = ?2 AND used IS NULL AND expires > ?1",
            [now.nanoseconds, hash.hex])
        guard database.changesCount == 1,
            let row = try Row.fetchOne(
                database, sql: "SELECT site, agent FROM enrolmentTokens WHERE hash = ?", arguments: [hash.hex])
        else { return nil }
        return (try Site.ID(row["site"]), try EnrolledAgent.ID(row["agent"]))
    }

    package func save(_ job: Job) throws {
        try run(
            """
            INSERT INTO jobs (id, site, tenant, state, created, body) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body
            """,
            [
                job.id.text, job.site.text, job.tenant.text, job.state.name.rawValue, job.created.nanoseconds,
                CanonicalJSON.text(job),
            ])
    }

    /// Copies are rows of their own: see `addCopy`.
    package func insert(_ point: RecoveryPoint) throws {
        var body = point
        body.copies = []
        try run(
            "INSERT INTO recoveryPoints (id, tenant, desktop, snapshot, taken, body) VALUES (?, ?, ?, ?, ?, ?)",
            [
                point.id.text, point.tenant.text, point.desktop.text, point.snapshot, point.taken.nanoseconds,
                CanonicalJSON.text(body),
            ])
        for copy in point.copies { try addCopy(copy, of: point.id) }
    }

    /// False when the copy was known.
    @discardableResult
    package func addCopy(_ copy: RecoveryPoint.Copy, of point: RecoveryPoint.ID) throws -> Bool {
        try run(
            """
            INSERT INTO recoveryPointCopies (point, site, vault, arrived) VALUES (?, ?, ?, ?)
            ON CONFLICT (point, site) DO NOTHING
            """, [point.text, copy.site.text, copy.vault.text, copy.arrived.nanoseconds])
        return database.changesCount == 1
    }

    package func save(_ run: RecoveryRun) throws {
        try self.run(
            """
            INSERT INTO recoveryRuns (id, tenant, desktop, declared, state, body) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body
            """,
            [
                run.id.text, run.tenant.text, run.plan.desktop.text, run.times.declared.nanoseconds,
                run.state.rawValue, CanonicalJSON.text(run),
            ])
    }
}
