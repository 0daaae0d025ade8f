package import Model
package import Platform

/// Which queued jobs a site's agent gets next.
///
/// 1. The most urgent kind first, then the oldest, then by id: no job overtakes an equal one.
/// 2. Nothing else of a tenant is worked on at a site until the repository there is initialised, and a copy waits
///    for its source as well.
/// 3. One backup of a desktop at a time, and one copy of a tenant to a site: a second one would only lose the race
///    for the log.
/// 4. A machine is stopped when its start is over, not during it.
package enum DispatchOrder {
    /// - Parameter open: every job that is not over, of every site, queued ones included.
    package static func next(for site: Site.ID, open: [Job], room: Int, now: Timestamp) -> [Job.ID] {
        var chosen: [Job] = []
        let waiting = open.filter {
            $0.site == site && $0.state.name == .queued && ($0.notBefore.map { $0 <= now } ?? true)
        }
        .sorted(by: before)
        for job in waiting where chosen.count < room {
            let others = open.filter { $0.id != job.id && ($0.state.lease != nil || $0.kind == .initialiseRepository) }
            guard !(others + chosen).contains(where: { blocks($0, job) }) else { continue }
            chosen.append(job)
        }
        return chosen.map(\.id)
    }

    static func before(_ left: Job, _ right: Job) -> Bool {
        (left.kind.urgency, left.created, left.id) < (right.kind.urgency, right.created, right.id)
    }

    private static func blocks(_ other: Job, _ job: Job) -> Bool {
        if other.kind == .initialiseRepository, job.kind != .initialiseRepository, other.tenant == job.tenant {
            if other.site == job.site { return true }
            if case .replicate(let details) = job.work, details.peer == other.site { return true }
        }
        switch job.kind {
        case .backup: return other.kind == .backup && other.desktop == job.desktop && other.tenant == job.tenant
        case .replicate: return other.kind == .replicate && other.tenant == job.tenant && other.site == job.site
        case .initialiseRepository:
            return other.kind == .initialiseRepository && other.tenant == job.tenant && other.site == job.site
                && other.state.lease != nil
        case .stopMachine: return other.kind == .recover && other.run == job.run
        case .restore, .recover, .check: return false
        }
    }
}
