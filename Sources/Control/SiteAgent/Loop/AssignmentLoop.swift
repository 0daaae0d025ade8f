package import Logging
package import Model
package import Platform
import ServiceLifecycle
import Wire

/// The agent's conversation with the coordinator, as the loop needs it.
package protocol CoordinatorLink: Sendable {
    func poll(_ request: PollRequest) async throws(Failure) -> PollResponse
    func heartbeat(_ request: HeartbeatRequest) async throws(Failure) -> HeartbeatResponse
    func report(_ request: ReportRequest) async throws(Failure) -> ReportResponse
}

extension AgentClient: CoordinatorLink {}

/// Whoever does the work. Calls block, on a thread of their own each.
package protocol WorkRunner: Sendable {
    func carryOut(_ assignment: Assignment, _ context: WorkContext) throws -> WorkResult

    /// Whether what a kept result says is still so. A file stays written; a machine ends with the agent.
    func stillHolds(_ result: WorkResult, of assignment: Assignment) -> Bool
}

/// Asks the coordinator for work, has it done, and reports.
///
/// 1. A long poll names what is in work and how much more would be taken. A job that comes twice is done once.
/// 2. Each job runs on a thread; heartbeats carry its progress, and their answers may end it.
/// 3. A result is put on the shelf before it is reported, and taken off once the coordinator has it; a job delivered
///    again is reported from the shelf.
///
/// While the coordinator cannot be reached the work goes on: a repository bears two writers, and a restarted
/// coordinator finds the work further along. A heartbeat that is answered "lost" ends it.
package struct AssignmentLoop: Service {
    private let link: any CoordinatorLink
    private let worker: any WorkRunner
    private let shelf: ResultShelf
    private let room: Int
    private let program: String
    private let surroundings: Surroundings
    private let logger: Logger
    private let table = JobTable()

    package init(
        link: any CoordinatorLink, worker: any WorkRunner, shelf: ResultShelf, room: Int, program: String,
        surroundings: Surroundings, logger: Logger
    ) {
        self.link = link
        self.worker = worker
        self.shelf = shelf
        self.room = room
        self.program = program
        self.surroundings = surroundings
        self.logger = logger
    }

    /// Until it is told to end; then running work is asked to stop, given back, and waited for.
    package func run() async throws {
        let (deliveries, queue) = AsyncStream.makeStream(of: WorkContext.self)
        await withDiscardingTaskGroup { group in
            group.addTask {
                await cancelWhenGracefulShutdown { await poll(into: queue) }
                queue.finish()
                table.stopAll(.shutdown)
            }
            for await context in deliveries { group.addTask { await carryOut(context) } }
        }
    }

    // MARK: - 1. Polling

    private func poll(into queue: AsyncStream<WorkContext>.Continuation) async {
        var backoff = Backoff(surroundings: surroundings)
        while !Task.isCancelled {
            let working = table.working
            let request = PollRequest(
                working: working, room: max(0, room - working.count), seconds: AgentRoute.longestPollSeconds,
                program: program)
            do {
                let response = try await link.poll(request)
                backoff.reset()
                // Whether it was cancelled or lost, the coordinator knows: it takes or refuses the word of it.
                for leased in response.stop { table.stop(leased, .cancelled) }
                for assignment in response.assignments {
                    guard let context = table.take(assignment) else { continue }
                    logger.info("Assigned", metadata: Self.words(assignment))
                    queue.yield(context)
                }
            } catch {
                if Task.isCancelled { return }
                let level: Logger.Level = error.code == .unreachable ? .notice : .error
                logger.log(level: level, "The coordinator gave no work", metadata: ["why": "\(error)"])
                try? await Task.sleep(nanoseconds: backoff.next())
            }
        }
    }

    // MARK: - 2. Working

    private func carryOut(_ context: WorkContext) async {
        let assignment = context.assignment
        defer { table.remove(assignment.job) }
        do {
            if let known = try shelf.result(of: assignment.job), worker.stillHolds(known, of: assignment) {
                logger.info("Was done before", metadata: Self.words(assignment))
                return await report(.done(known), context)
            }
        } catch {
            // A result that cannot be read is no result: the work is idempotent and is done again.
            logger.error("A kept result cannot be read", metadata: ["job": "\(assignment.job)", "why": "\(error)"])
        }
        let outcome = await withTaskGroup(of: ReportRequest.Outcome?.self) { group in
            group.addTask {
                await heartbeats(context)
                return nil
            }
            group.addTask { await work(context) }
            while let one = await group.next() {
                if let one {
                    group.cancelAll()
                    return one
                }
            }
            return .cancelled
        }
        if case .done(let result) = outcome {
            do { try shelf.keep(result, of: assignment.job) } catch {
                logger.error("A result cannot be kept", metadata: ["job": "\(assignment.job)", "why": "\(error)"])
            }
        } else if context.stop == .lost {
            return logger.notice("Dropped: the lease was lost", metadata: Self.words(assignment))
        }
        await report(outcome, context)
    }

    private func work(_ context: WorkContext) async -> ReportRequest.Outcome {
        let thread = ThreadBox()
        let outcome = await withCheckedContinuation { (done: CheckedContinuation<ReportRequest.Outcome, Never>) in
            thread.start(name: context.assignment.work.kind.rawValue) {
                done.resume(returning: attempt(context))
            }
        }
        // It has said its last word, so this is over in no time.
        thread.join()
        return outcome
    }

    private func attempt(_ context: WorkContext) -> ReportRequest.Outcome {
        let assignment = context.assignment
        do {
            try context.goOn()
            let result = try worker.carryOut(assignment, context)
            logger.info("Done", metadata: Self.words(assignment))
            return .done(result)
        } catch {
            if context.stop != nil { return .cancelled }
            let failure = error as? Failure ?? Failure(.failed, "\(assignment.work.kind.rawValue) failed", cause: error)
            var words = Self.words(assignment)
            words["why"] = "\(failure)"
            logger.error("Failed", metadata: words)
            return .failed(WorkFailure(failure, retry: Self.mayHelpToRetry(failure.code)))
        }
    }

    private static func mayHelpToRetry(_ code: Failure.Code) -> Bool {
        switch code {
        case .unreachable, .unknownOutcome, .failed, .full, .cancelled: true
        case .usage, .refused, .unsuited, .notFound, .exists, .partial, .damaged: false
        }
    }

    private func heartbeats(_ context: WorkContext) async {
        let assignment = context.assignment
        // Often enough for the lease, and for people who watch.
        let pause = min(UInt64(assignment.leaseSeconds) * 1_000_000_000 / 3, 2_000_000_000)
        while !Task.isCancelled {
            let request = HeartbeatRequest(job: assignment.job, term: context.term, progress: context.progress)
            do {
                switch try await link.heartbeat(request).verdict {
                case .goOn: break
                case .cancel: context.askToStop(.cancelled)
                case .lost:
                    // A newer term may have come meanwhile; then the answer was about the old one.
                    if context.term == request.term { context.askToStop(.lost) }
                }
            } catch {
                if Task.isCancelled { return }
                logger.notice(
                    "A heartbeat was not heard", metadata: ["job": "\(assignment.job)", "why": "\(error)"])
            }
            try? await Task.sleep(nanoseconds: pause)
        }
    }

    // MARK: - 3. Reporting

    private func report(_ outcome: ReportRequest.Outcome, _ context: WorkContext) async {
        let assignment = context.assignment
        var backoff = Backoff(surroundings: surroundings)
        var refusals = 0
        var attemptsAtTheEnd = 3
        while true {
            let request = ReportRequest(job: assignment.job, term: context.term, outcome: outcome)
            do {
                _ = try await link.report(request)
                if case .done = outcome { try shelf.clear(assignment.job) }
                return
            } catch {
                var words = Self.words(assignment)
                words["why"] = "\(error)"
                if error.code == .refused, context.term == request.term {
                    return logger.notice("The report was refused", metadata: words)
                }
                if error.code != .unreachable { refusals += 1 }
                if context.stop == .shutdown { attemptsAtTheEnd -= 1 }
                guard refusals < 5, attemptsAtTheEnd > 0, !Task.isCancelled else {
                    // A result lies on the shelf; anything else the lease settles when it runs out.
                    return logger.error("The report was given up", metadata: words)
                }
                logger.notice("The report was not heard", metadata: words)
                try? await Task.sleep(nanoseconds: backoff.next())
            }
        }
    }

    private static func words(_ assignment: Assignment) -> Logger.Metadata {
        ["job": "\(assignment.job)", "term": "\(assignment.term)", "kind": "\(assignment.work.kind.rawValue)"]
    }
}
