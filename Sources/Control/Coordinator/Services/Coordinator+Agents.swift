import Catalog
import Logging
package import Model
import Orchestration
package import Platform

extension Coordinator {
    /// Hands work to an agent, and tells it which of its work to stop; waits until there is something to say.
    package func poll(_ request: PollRequest, by agent: EnrolledAgent, from address: String) async throws(Failure)
        -> PollResponse
    {
        try request.check()
        try await heard(from: agent, running: request.program)
        let poll = polls.begin(agent.id)
        let isHeard: @Sendable () -> Bool = { self.polls.isNewest(poll, of: agent.id) }
        // An older one that is still held ends here.
        bell.ring([.site(agent.site)])
        return try await held(.site(agent.site), seconds: request.seconds) { () async throws(Failure) in
            guard isHeard() else { return PollResponse(assignments: [], stop: []) }
            return try await self.dispatch(request, to: agent, from: address)
        } until: {
            !$0.assignments.isEmpty || !$0.stop.isEmpty || !isHeard()
        }
    }

    /// One look: what is to stop, what was handed over and not taken up, what is next.
    private func dispatch(
        _ request: PollRequest, to agent: EnrolledAgent, from address: String
    ) async throws(Failure) -> PollResponse {
        let now = surroundings.now()
        let open = try await catalog.read { try $0.openJobs() }
        let plan = Dispatch(request, agent: agent, open: open, now: now)
        guard !plan.isEmpty else { return PollResponse(assignments: [], stop: []) }
        let actor = Actor(kind: .agent, name: agent.id.text, address: address)
        let seconds = settings.leaseSeconds
        var leased: [Job] = plan.again
        if !plan.fresh.isEmpty {
            let (jobs, topics) = try await catalog.write { writing in
                // Looked at again inside the transaction: another agent may have been quicker.
                let room = plan.fresh.count
                let chosen = DispatchOrder.next(
                    for: agent.site, open: try writing.reading.openJobs(), room: room, now: now)
                let outcomes = try chosen.map {
                    try Transition.apply(
                        .lease(agent: agent.id, seconds: seconds), to: $0, in: writing, now: now, by: actor)
                }
                return (outcomes.map(\.job), outcomes.flatMap(\.topics))
            }
            bell.ring(topics)
            leased += jobs
        }
        var assignments: [Assignment] = []
        for job in leased {
            do throws(Failure) {
                assignments.append(try await assignment(for: job, to: agent))
            } catch {
                try await undeliverable(job, error, agent: agent, actor: actor)
            }
        }
        return PollResponse(assignments: assignments, stop: plan.stop)
    }

    /// The agent never heard of the job, so the coordinator itself ends the attempt.
    private func undeliverable(
        _ job: Job, _ failure: Failure, agent: EnrolledAgent, actor: Actor
    ) async throws(Failure) {
        logger.error("A job cannot be handed over", metadata: ["job": "\(job.id)", "why": "\(failure)"])
        let report = JobMachine.Event.report(
            agent: agent.id, term: job.term, outcome: .failed(WorkFailure(failure, retry: true)))
        let now = surroundings.now()
        let topics = try await catalog.write {
            try Transition.apply(report, to: job.id, in: $0, now: now, by: .coordinator).topics
        }
        bell.ring(topics)
    }

    package func heartbeat(
        _ request: HeartbeatRequest, by agent: EnrolledAgent, from address: String
    ) async throws(Failure) -> HeartbeatResponse {
        try request.check()
        let now = surroundings.now()
        let event = JobMachine.Event.heartbeat(
            agent: agent.id, term: request.term, progress: request.progress, seconds: settings.leaseSeconds)
        let actor = Actor(kind: .agent, name: agent.id.text, address: address)
        let (verdict, topics) = try await catalog.writeQuietly { writing in
            guard let job = try writing.reading.findJob(request.job), job.site == agent.site else {
                return (HeartbeatResponse.Verdict.lost, [Bell.Topic]())
            }
            let outcome = try Transition.apply(event, to: job.id, in: writing, now: now, by: actor)
            for case .answer(let verdict) in outcome.actions { return (verdict, outcome.topics) }
            return (.lost, outcome.topics)
        }
        bell.ring(topics)
        return HeartbeatResponse(verdict: verdict)
    }

    /// Takes a report once; the same one again changes nothing.
    /// - Throws: `.refused` under an old term.
    package func report(
        _ request: ReportRequest, by agent: EnrolledAgent, from address: String
    ) async throws(Failure) -> ReportResponse {
        try request.check()
        let now = surroundings.now()
        let event = JobMachine.Event.report(agent: agent.id, term: request.term, outcome: request.outcome)
        let actor = Actor(kind: .agent, name: agent.id.text, address: address)
        let outcome: Transition.Outcome
        do throws(Failure) {
            outcome = try await catalog.write { writing in
                guard let job = try writing.reading.findJob(request.job), job.site == agent.site else {
                    throw Failure(.notFound, "There is no job \"\(request.job)\" for site \(agent.site)")
                }
                return try Transition.apply(event, to: job.id, in: writing, now: now, by: actor)
            }
        } catch {
            logger.warning(
                "A report was refused",
                metadata: [
                    "job": "\(request.job)", "term": "\(request.term)", "agent": "\(agent.id)", "why": "\(error)",
                ])
            throw error
        }
        bell.ring(outcome.topics)
        let again = outcome.actions.contains(.alreadySettled)
        if !again {
            logger.info(
                "A report was taken",
                metadata: [
                    "job": "\(request.job)", "term": "\(request.term)", "agent": "\(agent.id)",
                    "state": "\(outcome.job.state.name.rawValue)",
                ])
        }
        return ReportResponse(first: !again)
    }

    private func heard(from agent: EnrolledAgent, running program: String) async throws(Failure) {
        let now = surroundings.now()
        try await catalog.writeQuietly { writing in
            guard var known = try writing.reading.findAgent(agent.id) else { return }
            known.lastSeen = now
            known.version = program
            try writing.save(known)
        }
    }
}

/// What one poll can be answered with, seen from the open jobs. Pure.
struct Dispatch: Sendable {
    /// In work there, and to be stopped: cancelled, or lost to another term.
    var stop: [LeasedJob] = []
    /// Handed to this agent before and not taken up: the answer got lost on the way.
    var again: [Job] = []
    var fresh: [Job.ID] = []

    var isEmpty: Bool { stop.isEmpty && again.isEmpty && fresh.isEmpty }

    init(_ request: PollRequest, agent: EnrolledAgent, open: [Job], now: Timestamp) {
        let byID = Dictionary(uniqueKeysWithValues: open.map { ($0.id, $0) })
        for leased in request.working {
            switch byID[leased.job]?.state {
            case .leased(let lease) where lease.term == leased.term && lease.agent == agent.id: break
            case .running(let lease) where lease.term == leased.term && lease.agent == agent.id: break
            default: stop.append(leased)
            }
        }
        let working = Set(request.working.map(\.job))
        for job in open where !working.contains(job.id) && again.count < request.room {
            if case .leased(let lease) = job.state, lease.agent == agent.id { again.append(job) }
        }
        fresh = DispatchOrder.next(for: agent.site, open: open, room: request.room - again.count, now: now)
    }
}
