import GRDB
package import Model
import Platform

extension Reading {
    package func findJob(_ id: Job.ID) throws -> Job? {
        try one(Job.self, "SELECT body FROM jobs WHERE id = ?", [id.text])
    }

    package func job(_ id: Job.ID) throws -> Job { try found(findJob(id), "job", id.text) }

    /// Every job that is not over.
    package func openJobs() throws -> [Job] {
        try all(
            Job.self,
            """
            SELECT body FROM jobs WHERE state IN ('queued', 'leased', 'running', 'cancelling') ORDER BY created, id
            """)
    }

    /// The newest first.
    package func jobs(state: JobState.Name?, tenant: Tenant.ID?, limit: Int) throws -> [Job] {
        try all(
            Job.self,
            """
            SELECT body FROM jobs WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR tenant = ?2)
            ORDER BY created DESC, id DESC LIMIT ?3
            """, [state?.rawValue, tenant?.text, limit])
    }

    /// The newest first, with their copies.
    package func recoveryPoints(of desktop: Desktop.ID?, limit: Int) throws -> [RecoveryPoint] {
        try all(
            RecoveryPoint.self,
            "SELECT body FROM recoveryPoints WHERE ?1 IS NULL OR desktop = ?1 ORDER BY taken DESC, id DESC LIMIT ?2",
            [desktop?.text, limit]
        ).map(withCopies)
    }

    package func recoveryPoint(_ id: RecoveryPoint.ID) throws -> RecoveryPoint {
        try withCopies(
            found(
                one(RecoveryPoint.self, "SELECT body FROM recoveryPoints WHERE id = ?", [id.text]), "recovery point",
                id.text))
    }

    package func recoveryPoint(snapshot: String, of tenant: Tenant.ID) throws -> RecoveryPoint? {
        try one(
            RecoveryPoint.self, "SELECT body FROM recoveryPoints WHERE tenant = ? AND snapshot = ?",
            [tenant.text, snapshot]
        ).map(withCopies)
    }

    /// The newest point of the desktop with a copy at the site.
    package func newestRecoveryPoint(of desktop: Desktop.ID, at site: Site.ID) throws -> RecoveryPoint {
        let point = try one(
            RecoveryPoint.self,
            """
            SELECT body FROM recoveryPoints JOIN recoveryPointCopies ON point = id AND site = ?
            WHERE desktop = ? ORDER BY taken DESC, id DESC LIMIT 1
            """, [site.text, desktop.text])
        guard let point else {
            throw Failure(
                .notFound, "Desktop \(desktop) has no recovery point with a copy at site \(site)",
                advice: "See its recovery points, and whether the copy to \(site) has run")
        }
        return try withCopies(point)
    }

    private func withCopies(_ point: RecoveryPoint) throws -> RecoveryPoint {
        var point = point
        point.copies = try Row.fetchAll(
            database,
            sql: "SELECT site, vault, arrived FROM recoveryPointCopies WHERE point = ? ORDER BY arrived, site",
            arguments: [point.id.text]
        ).map { row in
            RecoveryPoint.Copy(
                site: try Site.ID(row["site"]), vault: try Vault.ID(row["vault"]),
                arrived: Timestamp(nanoseconds: row["arrived"]))
        }
        return point
    }

    package func findRecoveryRun(_ id: RecoveryRun.ID) throws -> RecoveryRun? {
        try one(RecoveryRun.self, "SELECT body FROM recoveryRuns WHERE id = ?", [id.text])
    }

    package func recoveryRun(_ id: RecoveryRun.ID) throws -> RecoveryRun {
        try found(findRecoveryRun(id), "recovery run", id.text)
    }

    /// The newest first.
    package func recoveryRuns(limit: Int) throws -> [RecoveryRun] {
        try all(RecoveryRun.self, "SELECT body FROM recoveryRuns ORDER BY declared DESC, id DESC LIMIT ?", [limit])
    }

    /// Jobs of a recovery run, the oldest first.
    package func jobs(of run: RecoveryRun.ID) throws -> [Job] {
        try all(
            Job.self,
            "SELECT body FROM jobs WHERE json_extract(body, '$.run') = ? ORDER BY created, id", [run.text])
    }
}
