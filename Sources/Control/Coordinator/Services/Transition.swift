import Catalog
import Model
import Orchestration
import Platform

/// One step of a job or a recovery run inside a transaction: the machine decides, and state, consequences and journal
/// are written together.
enum Transition {
    struct Outcome: Sendable {
        var job: Job
        var actions: [JobMachine.Action]
        /// Whom to wake once the transaction stands.
        var topics: [Bell.Topic]
    }

    @discardableResult
    static func apply(
        _ event: JobMachine.Event, to id: Job.ID, in writing: Writing, now: Timestamp, by actor: Actor
    ) throws -> Outcome {
        var machine = JobMachine(try writing.reading.job(id))
        let before = machine.job
        let actions = try machine.on(event, now: now)
        let job = machine.job
        var topics: [Bell.Topic] = []
        if job != before {
            try writing.save(job)
            topics.append(.job(id))
        }
        for case .journal(let what, let details) in actions {
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: what, subject: id.text, tenant: job.tenant, details: details))
        }
        for action in actions {
            switch action {
            case .wake(let site): topics.append(.site(site))
            case .stop: topics.append(.site(job.site))
            case .settle:
                topics += try Consequences.draw(from: job, in: writing, now: now, by: actor)
                // Work that waited for this one may go on now, also at another site.
                topics += try writing.reading.sites().map { .site($0.id) }
            case .deliver, .answer, .alreadySettled, .journal: break
            }
        }
        if job.kind == .recover, let run = job.run, job.progress?.stage == .probing, before.progress?.stage != .probing
        {
            topics += try apply(.machineStarted, to: run, in: writing, now: now, by: actor)
        }
        return Outcome(job: job, actions: actions, topics: topics)
    }

    /// New work, in the queue.
    static func order(_ job: Job, in writing: Writing, now: Timestamp, by actor: Actor) throws -> [Bell.Topic] {
        try writing.save(job)
        var details = ["kind": job.kind.rawValue, "site": job.site.text]
        if let desktop = job.desktop { details["desktop"] = desktop.text }
        if let run = job.run { details["run"] = run.text }
        try writing.journal(
            JournalEvent(
                when: now, actor: actor, what: "job.ordered", subject: job.id.text, tenant: job.tenant, details: details
            ))
        return [.site(job.site), .job(job.id)]
    }

    static func apply(
        _ event: RecoveryRunMachine.Event, to id: RecoveryRun.ID, in writing: Writing, now: Timestamp, by actor: Actor
    ) throws -> [Bell.Topic] {
        var machine = RecoveryRunMachine(try writing.reading.recoveryRun(id))
        let before = machine.run
        let actions = try machine.on(event, now: now)
        let run = machine.run
        guard run != before else { return [] }
        try writing.save(run)
        for case .journal(let what, let details) in actions {
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: what, subject: id.text, tenant: run.tenant, details: details))
        }
        var topics: [Bell.Topic] = [.run(id)]
        for action in actions {
            switch action {
            case .orderStart:
                topics += try order(Self.start(of: run, in: writing, now: now), in: writing, now: now, by: actor)
            case .orderStop: topics += try order(try Self.stop(of: run, now: now), in: writing, now: now, by: actor)
            case .cancelStart:
                for job in try writing.reading.jobs(of: id) where job.kind == .recover && !job.state.isOver {
                    topics += try apply(.cancel, to: job.id, in: writing, now: now, by: actor).topics
                }
            case .journal: break
            }
        }
        return topics
    }

    /// Ids of a run's jobs follow from the run, so that ordering twice orders once.
    private static func start(of run: RecoveryRun, in writing: Writing, now: Timestamp) throws -> Job {
        let desktop = try writing.reading.desktop(run.plan.desktop)
        let vault = try writing.reading.tenantVault(run.tenant, at: run.plan.site)
        let tenant = try writing.reading.tenant(run.tenant)
        let work = RecoverWork(
            repository: RepositoryPlace(
                tenant: tenant.id, repository: tenant.repository, vaultID: vault.vaultID, head: vault.head),
            run: run.id, desktop: desktop.id, snapshot: run.snapshot, machine: desktop.machine, probe: run.plan.probe,
            accelerator: run.plan.accelerator)
        return Job(
            id: try derived("start", run, now), site: run.plan.site, tenant: run.tenant, desktop: desktop.id,
            work: .recover(work), run: run.id, attemptLimit: 3, created: now)
    }

    private static func stop(of run: RecoveryRun, now: Timestamp) throws(Failure) -> Job {
        Job(
            id: try derived("stop", run, now), site: run.plan.site, tenant: run.tenant, desktop: run.plan.desktop,
            work: .stopMachine(StopMachineWork(run: run.id, desktop: run.plan.desktop)), run: run.id, created: now)
    }

    private static func derived(_ step: String, _ run: RecoveryRun, _ now: Timestamp) throws(Failure) -> Job.ID {
        let digest = SHA256.hash(Array("\(step) \(run.id) \(now.nanoseconds)".utf8))
        return try Job.ID("job-" + digest.hex.prefix(20))
    }
}
