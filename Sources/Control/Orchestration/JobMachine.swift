package import Model
package import Platform

/// The life of a job: handed out under leases with rising terms, done once.
///
/// Pure: whoever runs it loads the job, applies one event, writes the new state and the journal in one transaction,
/// and then performs the actions. States and legal next states stand on `JobState`.
///
/// Leases are measured by the coordinator's clock. A clock that jumps ends a lease early or late, never twice at
/// once: it is the term that decides whose report counts.
package struct JobMachine: Sendable {
    package private(set) var job: Job

    package init(_ job: Job) { self.job = job }

    package enum Event: Sendable, Equatable {
        /// The dispatcher gives the job to an agent.
        case lease(agent: EnrolledAgent.ID, seconds: Int)
        case heartbeat(agent: EnrolledAgent.ID, term: UInt64, progress: JobProgress, seconds: Int)
        case report(agent: EnrolledAgent.ID, term: UInt64, outcome: ReportRequest.Outcome)
        case cancel
        /// Time has passed.
        case tick
        /// The coordinator was away and could hear no heartbeats: leases are good for as long again.
        case resumed(seconds: Int)
    }

    package enum Action: Sendable, Equatable {
        /// Hand the work over under this lease.
        case deliver(Lease)
        case answer(HeartbeatResponse.Verdict)
        /// The site's queue has something in it.
        case wake(Site.ID)
        /// Tell the agent that it is to stop.
        case stop(Lease)
        /// The job is over: draw the consequences, once.
        case settle
        /// The report had been taken before.
        case alreadySettled
        case journal(String, [String: String])
    }

    /// - Throws: `.refused` for a report under an old term or by another agent, `.exists` for an event that the state
    ///   does not allow. The job is then as it was.
    package mutating func on(_ event: Event, now: Timestamp) throws(Failure) -> [Action] {
        let before = job
        do throws(Failure) {
            let actions = try apply(event, now: now)
            if job != before { job.changed = max(now, before.changed) }
            return actions
        } catch {
            job = before
            throw error
        }
    }

    private mutating func apply(_ event: Event, now: Timestamp) throws(Failure) -> [Action] {
        switch event {
        case .lease(let agent, let seconds): try lease(to: agent, until: now.advanced(seconds: seconds), now: now)
        case .heartbeat(let agent, let term, let progress, let seconds):
            heartbeat(from: agent, term, progress, until: now.advanced(seconds: seconds))
        case .report(let agent, let term, let outcome): try report(by: agent, term, outcome, now: now)
        case .cancel: try cancel()
        case .tick: tick(now: now)
        case .resumed(let seconds): resume(until: now.advanced(seconds: seconds))
        }
    }

    private mutating func lease(
        to agent: EnrolledAgent.ID, until expires: Timestamp, now: Timestamp
    ) throws(Failure) -> [Action] {
        guard case .queued = job.state else {
            throw Failure(.exists, "Job \(job.id) is \(job.state.name.rawValue) and cannot be handed out")
        }
        if let notBefore = job.notBefore, notBefore > now {
            throw Failure(.exists, "Job \(job.id) rests for a while after a failure")
        }
        job.term += 1
        job.notBefore = nil
        job.progress = nil
        let lease = Lease(term: job.term, agent: agent, expires: expires)
        job.state = .leased(lease)
        return [.deliver(lease), .journal("job.leased", ["agent": agent.text, "term": "\(lease.term)"])]
    }

    private mutating func heartbeat(
        from agent: EnrolledAgent.ID, _ term: UInt64, _ progress: JobProgress, until expires: Timestamp
    ) -> [Action] {
        guard var lease = job.state.lease, lease.term == term, lease.agent == agent else { return [.answer(.lost)] }
        lease.expires = max(lease.expires, expires)
        job.progress = progress
        switch job.state {
        case .leased:
            job.state = .running(lease)
            return [.answer(.goOn), .journal("job.started", ["agent": agent.text, "term": "\(term)"])]
        case .running:
            job.state = .running(lease)
            return [.answer(.goOn)]
        case .cancelling:
            job.state = .cancelling(lease)
            return [.answer(.cancel)]
        case .queued, .done, .failed, .cancelled: return [.answer(.lost)]
        }
    }

    private mutating func report(
        by agent: EnrolledAgent.ID, _ term: UInt64, _ outcome: ReportRequest.Outcome, now: Timestamp
    ) throws(Failure) -> [Action] {
        guard term == job.term else {
            throw Failure(
                .refused, "The report on job \(job.id) comes under term \(term), and the term is \(job.term)",
                advice: "The lease was lost; drop the work")
        }
        if job.state.isOver { return [.alreadySettled] }
        guard let lease = job.state.lease, lease.agent == agent else {
            throw Failure(.refused, "Job \(job.id) is not leased to agent \(agent)", advice: "Drop the work")
        }
        switch outcome {
        case .done(let result):
            guard result.kind == job.kind else {
                throw Failure(
                    .usage, "Job \(job.id) is a \(job.kind.rawValue) and the result is of a \(result.kind.rawValue)")
            }
            return end(.done(result), "job.done", term)
        case .failed(let failure):
            if case .cancelling = job.state { return end(.cancelled, "job.cancelled", term) }
            return failed(failure, now: now)
        case .cancelled:
            if case .cancelling = job.state { return end(.cancelled, "job.cancelled", term) }
            return attemptEnded(
                "job.returned",
                WorkFailure(
                    Failure(.cancelled, "Agent \(agent) gave job \(job.id) back \(job.attempts + 1) times"), retry: true
                ),
                notBefore: nil)
        }
    }

    private mutating func failed(_ failure: WorkFailure, now: Timestamp) -> [Action] {
        guard failure.retry else { return end(.failed(failure), "job.failed", job.term) }
        // 2, 4, 8 ... seconds, at most five minutes.
        let rest = min(300, 2 << min(job.attempts, 20))
        return attemptEnded("job.attemptFailed", failure, notBefore: now.advanced(seconds: rest))
    }

    /// Back to the queue, unless that has happened often enough.
    private mutating func attemptEnded(_ what: String, _ failure: WorkFailure, notBefore: Timestamp?) -> [Action] {
        job.attempts += 1
        guard job.attempts < job.attemptLimit else {
            return [.journal(what, note(failure))] + end(.failed(failure), "job.failed", job.term)
        }
        job.state = .queued
        job.notBefore = notBefore
        return [.wake(job.site), .journal(what, note(failure))]
    }

    private func note(_ failure: WorkFailure) -> [String: String] {
        ["term": "\(job.term)", "attempt": "\(job.attempts)", "code": failure.code.rawValue, "why": failure.what]
    }

    private mutating func end(_ state: JobState, _ what: String, _ term: UInt64) -> [Action] {
        job.state = state
        job.notBefore = nil
        var details = ["term": "\(term)"]
        if case .failed(let failure) = state {
            details["code"] = failure.code.rawValue
            details["why"] = failure.what
        }
        return [.settle, .journal(what, details)]
    }

    private mutating func cancel() throws(Failure) -> [Action] {
        switch job.state {
        case .queued: return end(.cancelled, "job.cancelled", job.term)
        case .leased(let lease), .running(let lease):
            job.state = .cancelling(lease)
            return [.stop(lease), .journal("job.cancelling", ["term": "\(lease.term)"])]
        case .cancelling, .cancelled: return []
        case .done, .failed:
            throw Failure(.exists, "Job \(job.id) is \(job.state.name.rawValue); there is nothing to cancel")
        }
    }

    private mutating func tick(now: Timestamp) -> [Action] {
        switch job.state {
        case .leased(let lease) where lease.expires <= now, .running(let lease) where lease.expires <= now:
            let failure = Failure(
                .unreachable, "The lease of agent \(lease.agent) ran out \(job.attempts + 1) times",
                advice: "See whether the agent at \(job.site) runs and reaches the coordinator")
            return attemptEnded("job.leaseExpired", WorkFailure(failure, retry: true), notBefore: nil)
        case .cancelling(let lease) where lease.expires <= now: return end(.cancelled, "job.cancelled", lease.term)
        case .queued:
            guard let notBefore = job.notBefore, notBefore <= now else { return [] }
            job.notBefore = nil
            return [.wake(job.site)]
        case .leased, .running, .cancelling, .done, .failed, .cancelled: return []
        }
    }

    private mutating func resume(until expires: Timestamp) -> [Action] {
        guard var lease = job.state.lease else { return [] }
        lease.expires = max(lease.expires, expires)
        switch job.state {
        case .leased: job.state = .leased(lease)
        case .running: job.state = .running(lease)
        case .cancelling: job.state = .cancelling(lease)
        case .queued, .done, .failed, .cancelled: break
        }
        return []
    }
}
