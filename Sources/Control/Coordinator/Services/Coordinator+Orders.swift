import Catalog
import Logging
package import Model
import Orchestration
package import Platform

extension Coordinator {
    /// A new customer: keys, and a repository in the vault of every site named. The keys go into the catalog wrapped.
    package func create(_ order: TenantOrder, by actor: Actor) async throws(Failure) -> Tenant {
        try order.check()
        let now = surroundings.now()
        let keys = try RepositoryKeys.make(surroundings)
        let wrapped = try keyring.wrap(keys.bytes, of: order.id)
        let tenant = Tenant(id: order.id, title: order.title, repository: keys.repository, created: now)
        var places: [(site: Site.ID, vaultID: String, job: Job.ID)] = []
        for site in order.sites {
            places.append((site, Hex.encode(surroundings.random(16)), try Job.ID.fresh("job", surroundings)))
        }
        let topics = try await catalog.write { [places] writing in
            try writing.insert(tenant, wrappedKeys: wrapped)
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: "tenant.created", subject: tenant.id.text, tenant: tenant.id,
                    details: ["repository": tenant.repository, "sites": order.sites.map(\.text).joined(separator: " ")])
            )
            var topics: [Bell.Topic] = []
            for place in places {
                let site = try writing.reading.site(place.site)
                try writing.save(
                    TenantVault(
                        tenant: tenant.id, site: site.id, vault: site.vault.id, vaultID: place.vaultID, state: .declared
                    ))
                topics += try Transition.order(
                    Job(
                        id: place.job, site: site.id, tenant: tenant.id, desktop: nil,
                        work: JobDesk(writing.reading, now: now).initialisation(of: tenant.id, at: site.id),
                        created: now), in: writing, now: now, by: actor)
            }
            return topics
        }
        bell.ring(topics)
        return tenant
    }

    package func create(_ order: DesktopOrder, by actor: Actor) async throws(Failure) -> Desktop {
        try order.check()
        let now = surroundings.now()
        let desktop = order.desktop(created: now)
        try await catalog.write { writing in
            _ = try writing.reading.tenantVault(desktop.tenant, at: desktop.site)
            try writing.insert(desktop)
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: "desktop.created", subject: desktop.id.text, tenant: desktop.tenant,
                    details: ["site": desktop.site.text]))
        }
        return desktop
    }

    /// Puts work in a queue. The same order under the same id makes one job.
    package func order(_ order: JobOrder, by actor: Actor) async throws(Failure) -> Job {
        try order.check()
        let now = surroundings.now()
        let fresh = try Job.ID.fresh("job", surroundings)
        let id = order.id ?? fresh
        let (job, topics) = try await catalog.write { writing in
            let job = try JobDesk(writing.reading, now: now).job(for: order, id: id)
            if let known = try writing.reading.findJob(id) {
                guard known.site == job.site, known.tenant == job.tenant, known.desktop == job.desktop,
                    known.work.isSameOrder(as: job.work)
                else { throw Failure(.exists, "Job \(id) is another one", advice: "Choose another id") }
                return (known, [Bell.Topic]())
            }
            return (job, try Transition.order(job, in: writing, now: now, by: actor))
        }
        bell.ring(topics)
        return job
    }

    package func cancel(_ id: Job.ID, by actor: Actor) async throws(Failure) -> Job {
        let now = surroundings.now()
        let outcome = try await catalog.write {
            try Transition.apply(.cancel, to: id, in: $0, now: now, by: actor)
        }
        bell.ring(outcome.topics)
        return outcome.job
    }

    /// Declares a disaster: the desktop is started at the other site, at once.
    package func recover(_ order: RecoveryOrder, by actor: Actor) async throws(Failure) -> RecoveryRun {
        try order.check()
        let now = surroundings.now()
        let fresh = try RecoveryRun.ID.fresh("run", surroundings)
        let id = order.id ?? fresh
        let (run, topics) = try await catalog.write { writing in
            if let known = try writing.reading.findRecoveryRun(id) {
                guard known.plan.desktop == order.desktop, known.plan.site == order.site else {
                    throw Failure(.exists, "Recovery run \(id) is another one", advice: "Choose another id")
                }
                return (known, [Bell.Topic]())
            }
            let run = try JobDesk(writing.reading, now: now).run(for: order, id: id)
            try writing.save(run)
            try writing.journal(
                JournalEvent(
                    when: now, actor: actor, what: "recoveryRun.declared", subject: id.text, tenant: run.tenant,
                    details: [
                        "desktop": order.desktop.text, "site": order.site.text, "recoveryPoint": run.point.text,
                    ]))
            let topics = try Transition.apply(.begin, to: id, in: writing, now: now, by: actor)
            return (try writing.reading.recoveryRun(id), topics)
        }
        bell.ring(topics)
        return run
    }

    /// Stops the machine of a run, whatever it is doing.
    package func cleanUp(_ id: RecoveryRun.ID, by actor: Actor) async throws(Failure) -> RecoveryRun {
        let now = surroundings.now()
        let (run, topics) = try await catalog.write { writing in
            let topics = try Transition.apply(.cleanUp, to: id, in: writing, now: now, by: actor)
            return (try writing.reading.recoveryRun(id), topics)
        }
        bell.ring(topics)
        return run
    }
}

/// Turns what an operator asks for into work, from what the catalog knows.
struct JobDesk {
    private let reading: Reading
    private let now: Timestamp

    init(_ reading: Reading, now: Timestamp) {
        self.reading = reading
        self.now = now
    }

    func job(for order: JobOrder, id: Job.ID) throws -> Job {
        switch order.kind {
        case .backup:
            let desktop = try reading.desktop(needed(order.desktop, "desktop", order))
            let work = BackupWork(
                repository: try reading.place(of: desktop.tenant, at: desktop.site), desktop: desktop.id,
                diskImage: desktop.diskImage, folders: desktop.folders)
            return job(id, at: desktop.site, desktop.tenant, desktop.id, .backup(work))
        case .replicate:
            let tenant = try needed(order.tenant, "tenant", order)
            let site = try reading.site(needed(order.site, "site", order))
            guard let peer = site.peer else {
                throw Failure(.usage, "Site \(site.id) has no peer to copy from", advice: "Declare one in its document")
            }
            let source = try reading.tenantVault(tenant, at: peer)
            let work = ReplicateWork(
                repository: try reading.place(of: tenant, at: site.id), peer: peer,
                peerAgent: try reading.agent(at: peer).id, peerAddress: try reading.site(peer).address,
                peerVaultID: source.vaultID, peerHead: source.head)
            return job(id, at: site.id, tenant, nil, .replicate(work))
        case .restore: return try restore(order, id)
        case .check:
            let tenant = try needed(order.tenant, "tenant", order)
            let site = try needed(order.site, "site", order)
            let work = CheckWork(
                repository: try reading.place(of: tenant, at: site), readData: order.readData ?? false)
            return job(id, at: site, tenant, nil, .check(work))
        case .initialiseRepository:
            // Once more, where the first order came to nothing; it is done already where it did not.
            let tenant = try needed(order.tenant, "tenant", order)
            let site = try needed(order.site, "site", order)
            return job(id, at: site, tenant, nil, try initialisation(of: tenant, at: site))
        case .recover, .stopMachine:
            throw Failure(
                .usage, "Work of the kind \"\(order.kind.rawValue)\" is not ordered by hand",
                advice: "Start a recovery run to recover a desktop, and clean it up to stop the machine")
        }
    }

    /// Charter, certificate and slot are put in when the work is handed over, for the agent that takes it.
    func initialisation(of tenant: Tenant.ID, at site: Site.ID) throws -> Work {
        .initialiseRepository(
            InitialiseRepositoryWork(
                repository: try reading.place(of: tenant, at: site), charter: Octets([]), siteCertificate: Octets([]),
                slot: nil))
    }

    private func restore(_ order: JobOrder, _ id: Job.ID) throws -> Job {
        let point: RecoveryPoint
        let site: Site.ID
        if let wanted = order.recoveryPoint {
            point = try reading.recoveryPoint(wanted)
            guard order.desktop == nil || order.desktop == point.desktop else {
                throw Failure(.usage, "Recovery point \(wanted) is not of desktop \(point.desktop)")
            }
            site = try order.site ?? reading.desktop(point.desktop).site
        } else {
            let desktop = try reading.desktop(needed(order.desktop, "desktop", order))
            site = order.site ?? desktop.site
            point = try reading.newestRecoveryPoint(of: desktop.id, at: site)
        }
        try hasCopy(point, at: site)
        let what = try needed(order.what, "what", order)
        guard what == .disk ? point.hasDisk : point.hasFiles else {
            throw Failure(.usage, "Recovery point \(point.id) has no \(what.rawValue)")
        }
        guard what == .files || (order.include ?? []).isEmpty else {
            throw Failure(.usage, "Paths are chosen when files are restored, not with a disk")
        }
        let work = RestoreWork(
            repository: try reading.place(of: point.tenant, at: site), desktop: point.desktop,
            snapshot: point.snapshot, what: what, include: order.include ?? [],
            target: try needed(order.target, "target", order))
        return job(id, at: site, point.tenant, point.desktop, .restore(work))
    }

    func run(for order: RecoveryOrder, id: RecoveryRun.ID) throws -> RecoveryRun {
        let desktop = try reading.desktop(order.desktop)
        let site = try reading.site(order.site)
        let point: RecoveryPoint
        if let wanted = order.recoveryPoint {
            point = try reading.recoveryPoint(wanted)
            guard point.desktop == desktop.id else {
                throw Failure(.usage, "Recovery point \(wanted) is not of desktop \(desktop.id)")
            }
            try hasCopy(point, at: site.id)
        } else {
            point = try reading.newestRecoveryPoint(of: desktop.id, at: site.id)
        }
        guard point.hasDisk else {
            throw Failure(
                .usage, "Recovery point \(point.id) has no disk to start from", advice: "Restore its files instead")
        }
        return RecoveryRun(
            id: id, kind: .unplanned, tenant: desktop.tenant,
            plan: RecoveryPlan(
                desktop: desktop.id, site: site.id, probe: order.probe, accelerator: site.accelerator),
            point: point.id, snapshot: point.snapshot, pointTaken: point.taken, declared: now)
    }

    private func hasCopy(_ point: RecoveryPoint, at site: Site.ID) throws(Failure) {
        guard point.copies.contains(where: { $0.site == site }) else {
            let places = point.copies.map(\.site.text).joined(separator: ", ")
            throw Failure(
                .notFound, "Recovery point \(point.id) has no copy at site \(site)", advice: "It has one at: \(places)")
        }
    }

    private func job(
        _ id: Job.ID, at site: Site.ID, _ tenant: Tenant.ID, _ desktop: Desktop.ID?, _ work: Work
    ) -> Job {
        Job(id: id, site: site, tenant: tenant, desktop: desktop, work: work, created: now)
    }

    private func needed<Value>(_ value: Value?, _ field: String, _ order: JobOrder) throws(Failure) -> Value {
        guard let value else {
            throw Failure(.usage, "An order of the kind \"\(order.kind.rawValue)\" needs \"\(field)\"")
        }
        return value
    }
}

extension Work {
    /// Whether somebody who sends an order again means this one. What is newest at either time may differ.
    fileprivate func isSameOrder(as other: Work) -> Bool {
        switch (self, other) {
        case (.restore(let one), .restore(let two)):
            one.what == two.what && one.target == two.target && one.include == two.include
        case (.check(let one), .check(let two)): one.readData == two.readData
        default: kind == other.kind
        }
    }
}
