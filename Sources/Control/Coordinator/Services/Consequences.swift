import Catalog
import Model
import Orchestration
import Platform

/// What follows from a job that is over, in the transaction that ends it: so it follows once.
enum Consequences {
    static func draw(from job: Job, in writing: Writing, now: Timestamp, by actor: Actor) throws -> [Bell.Topic] {
        switch job.state {
        case .done(let result):
            if let head = result.head { try heard(head, from: job, in: writing, now: now, by: actor) }
            return try draw(from: result, of: job, in: writing, now: now, by: actor)
        case .failed(let failure): return try stopped(job, failure, in: writing, now: now, by: actor)
        case .cancelled:
            let failure = Failure(.cancelled, "Job \(job.id) was cancelled")
            return try stopped(job, WorkFailure(failure, retry: false), in: writing, now: now, by: actor)
        case .queued, .leased, .running, .cancelling: return []
        }
    }

    private static func draw(
        from result: WorkResult, of job: Job, in writing: Writing, now: Timestamp, by actor: Actor
    ) throws -> [Bell.Topic] {
        switch result {
        case .initialiseRepository:
            var vault = try writing.reading.tenantVault(job.tenant, at: job.site)
            vault.state = .ready
            try writing.save(vault)
        case .backup(let backup): try recoveryPoint(from: backup, of: job, in: writing, now: now, by: actor)
        case .replicate(let copied):
            let vault = try writing.reading.tenantVault(job.tenant, at: job.site)
            for snapshot in copied.snapshots {
                guard let point = try writing.reading.recoveryPoint(snapshot: snapshot, of: job.tenant) else {
                    continue
                }
                let copy = RecoveryPoint.Copy(site: job.site, vault: vault.vault, arrived: now)
                guard try writing.addCopy(copy, of: point.id) else { continue }
                try writing.journal(
                    JournalEvent(
                        when: now, actor: actor, what: "recoveryPoint.copied", subject: point.id.text,
                        tenant: job.tenant, details: ["site": job.site.text, "job": job.id.text]))
            }
        case .restore: break
        case .recover(let evidence):
            guard let run = job.run else { break }
            return try Transition.apply(.answered(evidence), to: run, in: writing, now: now, by: actor)
        case .stopMachine:
            guard let run = job.run else { break }
            return try Transition.apply(.stopped, to: run, in: writing, now: now, by: actor)
        case .check(let check):
            guard !check.damaged.isEmpty else { break }
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: "repository.damageFound", subject: job.id.text, tenant: job.tenant,
                    details: [
                        "site": job.site.text, "objects": "\(check.damaged.count)",
                        "snapshots": "\(check.snapshotsTouched.count)", "first": check.damaged.first ?? "",
                    ]))
        }
        return []
    }

    private static func recoveryPoint(
        from backup: BackupResult, of job: Job, in writing: Writing, now: Timestamp, by actor: Actor
    ) throws {
        guard let desktop = job.desktop,
            try writing.reading.recoveryPoint(snapshot: backup.snapshot, of: job.tenant) == nil
        else { return }
        let vault = try writing.reading.tenantVault(job.tenant, at: job.site)
        let name = SHA256.hash(Array("\(job.tenant)\n\(backup.snapshot)".utf8)).hex.prefix(20)
        let point = RecoveryPoint(
            id: try RecoveryPoint.ID("point-\(name)"), tenant: job.tenant, desktop: desktop, snapshot: backup.snapshot,
            taken: backup.taken, hasDisk: backup.hasDisk, hasFiles: backup.hasFiles, bytes: backup.bytes,
            storedBytes: backup.storedBytes, files: backup.files,
            copies: [RecoveryPoint.Copy(site: job.site, vault: vault.vault, arrived: now)])
        try writing.insert(point)
        try writing.journal(
            JournalEvent(
                when: now, actor: actor, what: "recoveryPoint.created", subject: point.id.text, tenant: job.tenant,
                details: [
                    "desktop": desktop.text, "snapshot": point.snapshot, "job": job.id.text, "bytes": "\(point.bytes)",
                    "storedBytes": "\(point.storedBytes)", "warnings": "\(backup.warnings.count)",
                ]))
    }

    /// A log that is shorter than it was, or says something else where it was, has been rolled back. What was known
    /// stays known, so that agents are told and refuse.
    private static func heard(
        _ head: LogHead, from job: Job, in writing: Writing, now: Timestamp, by actor: Actor
    ) throws {
        var vault = try writing.reading.tenantVault(job.tenant, at: job.site)
        if let known = vault.head, !head.acceptsMore(than: known),
            head.number < known.number || (head.number == known.number && head.hash != known.hash)
        {
            // Another job's later head may have been reported first; only the same number with another hash, or a
            // head that the agent was told to reach and did not, is a roll-back.
            guard head.number == known.number || head.number < (job.work.repository?.head?.number ?? 0) else { return }
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: "repository.rolledBack", subject: job.id.text, tenant: job.tenant,
                    details: [
                        "site": job.site.text, "known": "\(known.number) \(known.hash)",
                        "reported": "\(head.number) \(head.hash)",
                    ]))
            return
        }
        vault.head = head
        try writing.save(vault)
    }

    private static func stopped(
        _ job: Job, _ failure: WorkFailure, in writing: Writing, now: Timestamp, by actor: Actor
    ) throws -> [Bell.Topic] {
        guard let run = job.run else { return [] }
        switch job.kind {
        case .recover: return try Transition.apply(.startFailed(failure), to: run, in: writing, now: now, by: actor)
        case .stopMachine: return try Transition.apply(.stopFailed(failure), to: run, in: writing, now: now, by: actor)
        case .initialiseRepository, .backup, .replicate, .restore, .check: return []
        }
    }
}

extension Work {
    /// The repository the work is done in.
    var repository: RepositoryPlace? {
        switch self {
        case .initialiseRepository(let details): details.repository
        case .backup(let details): details.repository
        case .replicate(let details): details.repository
        case .restore(let details): details.repository
        case .recover(let details): details.repository
        case .check(let details): details.repository
        case .stopMachine: nil
        }
    }
}
