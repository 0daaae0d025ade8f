import Model
import Synchronization

/// The jobs in work, each once, whatever is delivered twice.
final class JobTable: Sendable {
    private let jobs = Mutex<[Job.ID: WorkContext]>([:])

    /// Nil when the job is in work already: then it goes on under the newer of the two terms.
    func take(_ assignment: Assignment) -> WorkContext? {
        jobs.withLock { jobs in
            if let known = jobs[assignment.job] {
                known.adopt(assignment.term)
                return nil
            }
            let context = WorkContext(assignment)
            jobs[assignment.job] = context
            return context
        }
    }

    func remove(_ job: Job.ID) { jobs.withLock { _ = $0.removeValue(forKey: job) } }

    var working: [LeasedJob] {
        jobs.withLock { jobs in
            jobs.map { LeasedJob(job: $0.key, term: $0.value.term) }.sorted { $0.job < $1.job }
        }
    }

    /// Only under the very term that was named: an old refusal does not stop new work.
    func stop(_ leased: LeasedJob, _ reason: WorkContext.Stop) {
        let context = jobs.withLock { $0[leased.job] }
        if let context, context.term == leased.term { context.askToStop(reason) }
    }

    func stopAll(_ reason: WorkContext.Stop) {
        for context in jobs.withLock({ Array($0.values) }) { context.askToStop(reason) }
    }
}
