import Model
import Platform
import ServiceLifecycle
import SiteAgent
import Support
import Synchronization
import Testing
import Wire

/// A coordinator with a script: it hands out what it is given and remembers what it heard.
private final class Script: CoordinatorLink {
    struct Heard {
        var reports: [ReportRequest] = []
        var heartbeats: [HeartbeatRequest] = []
        var polls = 0
        /// What the last poll named as in work.
        var working: [LeasedJob] = []
    }

    let heard = Mutex(Heard())
    private let queue = Mutex<[PollResponse]>([])
    private let verdict: Mutex<HeartbeatResponse.Verdict>
    private let answer: @Sendable (ReportRequest, Int) throws(Failure) -> ReportResponse
    let reported: AsyncStream<ReportRequest>
    private let tell: AsyncStream<ReportRequest>.Continuation

    init(
        _ responses: [PollResponse], verdict: HeartbeatResponse.Verdict = .goOn,
        answer: @escaping @Sendable (ReportRequest, Int) throws(Failure) -> ReportResponse = { _, _ in
            .init(first: true)
        }
    ) {
        self.verdict = Mutex(verdict)
        self.answer = answer
        (reported, tell) = AsyncStream.makeStream(of: ReportRequest.self)
        queue.withLock { $0 = responses }
    }

    func answerHeartbeats(_ new: HeartbeatResponse.Verdict) { verdict.withLock { $0 = new } }

    func deliver(_ response: PollResponse) { queue.withLock { $0.append(response) } }

    func poll(_ request: PollRequest) async throws(Failure) -> PollResponse {
        heard.withLock {
            $0.polls += 1
            $0.working = request.working
        }
        while !Task.isCancelled {
            let next = queue.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let next { return next }
            // As the real one: held until there is something to say.
            try? await Task.sleep(nanoseconds: 2_000_000)
        }
        throw Failure(.cancelled, "")
    }

    func heartbeat(_ request: HeartbeatRequest) async throws(Failure) -> HeartbeatResponse {
        heard.withLock { $0.heartbeats.append(request) }
        return HeartbeatResponse(verdict: verdict.withLock { $0 })
    }

    func report(_ request: ReportRequest) async throws(Failure) -> ReportResponse {
        let count = heard.withLock { heard in
            heard.reports.append(request)
            return heard.reports.count
        }
        let response = try answer(request, count)
        tell.yield(request)
        return response
    }

    func nextReport() async -> ReportRequest? {
        for await one in reported { return one }
        return nil
    }
}

private final class Doing: WorkRunner {
    let count = Mutex(0)
    let body: @Sendable (WorkContext) throws -> WorkResult
    let holds: Bool
    init(holds: Bool = true, _ body: @escaping @Sendable (WorkContext) throws -> WorkResult = { _ in .stopMachine }) {
        self.body = body
        self.holds = holds
    }
    func carryOut(_ assignment: Assignment, _ context: WorkContext) throws -> WorkResult {
        count.withLock { $0 += 1 }
        return try body(context)
    }
    func stillHolds(_ result: WorkResult, of assignment: Assignment) -> Bool { holds }
}

@Suite struct AssignmentLoopTests {
    private static func assignment(_ job: String = "job-1", term: UInt64 = 1, lease: Int = 30) throws -> Assignment {
        Assignment(
            job: try Job.ID(job), term: term, leaseSeconds: lease,
            work: .stopMachine(StopMachineWork(run: try RecoveryRun.ID("run-1"), desktop: try Desktop.ID("desk"))),
            grant: nil)
    }

    private static func response(_ assignments: Assignment...) -> PollResponse {
        PollResponse(assignments: assignments, stop: [])
    }

    private func running<T: Sendable>(
        _ script: Script, _ worker: Doing, shelf: ResultShelf, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let loop = AssignmentLoop(
            link: script, worker: worker, shelf: shelf, room: 2, program: "test", surroundings: .system, logger: quiet)
        let group = ServiceGroup(configuration: .init(services: [loop], logger: quiet))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let result = try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return result
        }
    }

    @Test func workIsDoneAndReportedUnderItsTerm() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let script = Script([Self.response(try Self.assignment(term: 7))])
        let report = try await running(script, Doing(), shelf: shelf) { await script.nextReport() }
        #expect(report?.term == 7)
        #expect(report?.outcome == .done(.stopMachine))
        #expect(script.heard.withLock { $0.heartbeats.first?.term } == 7)
    }

    @Test func aJobDeliveredTwiceAtOnceIsDoneOnceUnderTheNewerTerm() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let gate = Monitor(false)
        let worker = Doing { _ in
            gate.access(when: { $0 }) { _ in }
            return .stopMachine
        }
        let script = Script([
            Self.response(try Self.assignment(term: 1)), Self.response(try Self.assignment(term: 2)), Self.response(),
        ])
        let report = try await running(script, worker, shelf: shelf) {
            while script.heard.withLock({ $0.polls }) < 4 { await Task.yield() }
            gate.access { $0 = true }
            return await script.nextReport()
        }
        #expect(report?.term == 2)
        #expect(worker.count.withLock { $0 } == 1)
    }

    @Test func aReportThatWasNotHeardIsMadeAgainWithoutDoingTheWorkAgain() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let script = Script([Self.response(try Self.assignment())]) { _, count throws(Failure) in
            if count == 1 { throw Failure(.unreachable, "") }
            return ReportResponse(first: true)
        }
        let worker = Doing()
        let report = try await running(script, worker, shelf: shelf) { await script.nextReport() }
        #expect(report?.outcome == .done(.stopMachine))
        #expect(worker.count.withLock { $0 } == 1)
        #expect(try shelf.result(of: try Job.ID("job-1")) == nil)
    }

    @Test func aKeptResultIsReportedInsteadOfDoingTheWork() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        try shelf.keep(.stopMachine, of: try Job.ID("job-1"))
        let script = Script([Self.response(try Self.assignment(term: 3))])
        let worker = Doing()
        let report = try await running(script, worker, shelf: shelf) { await script.nextReport() }
        #expect(report?.outcome == .done(.stopMachine))
        #expect(report?.term == 3)
        #expect(worker.count.withLock { $0 } == 0)
    }

    @Test func aKeptResultThatNoLongerHoldsIsDoneAgain() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        try shelf.keep(.stopMachine, of: try Job.ID("job-1"))
        let script = Script([Self.response(try Self.assignment())])
        let worker = Doing(holds: false)
        _ = try await running(script, worker, shelf: shelf) { await script.nextReport() }
        #expect(worker.count.withLock { $0 } == 1)
    }

    @Test func aRefusedReportKeepsItsResultForTheNextTerm() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let script = Script([Self.response(try Self.assignment(term: 1))]) { request, _ throws(Failure) in
            if request.term == 1 { throw Failure(.refused, "") }
            return ReportResponse(first: true)
        }
        let worker = Doing()
        let report = try await running(script, worker, shelf: shelf) {
            while script.heard.withLock({ $0.reports.isEmpty }) { await Task.yield() }
            // Delivered again once the agent no longer names it, as the coordinator does.
            repeat {
                script.deliver(Self.response())
                try await Task.sleep(nanoseconds: 5_000_000)
            } while !script.heard.withLock({ $0.working.isEmpty })
            script.deliver(Self.response(try Self.assignment(term: 2)))
            return await script.nextReport()
        }
        #expect(report?.term == 2)
        #expect(worker.count.withLock { $0 } == 1)
    }

    @Test func aLostLeaseStopsTheWorkAndNothingIsReported() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let stopped = Monitor(false)
        let begun = Monitor(false)
        let worker = Doing { context in
            begun.access { $0 = true }
            defer { stopped.access { $0 = true } }
            while true {
                try context.goOn()
                Surroundings.system.pause(1_000_000)
            }
        }
        let script = Script([Self.response(try Self.assignment(lease: 1))])
        try await running(script, worker, shelf: shelf) {
            try await onThread { begun.access(when: { $0 }) { _ in } }
            script.answerHeartbeats(.lost)
            try await onThread { stopped.access(when: { $0 }) { _ in } }
        }
        #expect(script.heard.withLock { $0.reports.isEmpty })
    }

    @Test func aCancelledJobIsStoppedAndSaidToBe() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let worker = Doing { context in
            while true {
                try context.goOn()
                Surroundings.system.pause(1_000_000)
            }
        }
        let script = Script([Self.response(try Self.assignment())], verdict: .cancel)
        let report = try await running(script, worker, shelf: shelf) { await script.nextReport() }
        #expect(report?.outcome == .cancelled)
    }

    @Test func anAgentToldToEndGivesItsWorkBack() async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let begun = Monitor(false)
        let worker = Doing { context in
            begun.access { $0 = true }
            while true {
                try context.goOn()
                Surroundings.system.pause(1_000_000)
            }
        }
        let script = Script([Self.response(try Self.assignment())])
        try await running(script, worker, shelf: shelf) { try await onThread { begun.access(when: { $0 }) { _ in } } }
        #expect(script.heard.withLock { $0.reports.map(\.outcome) } == [.cancelled])
    }

    @Test(arguments: [(Failure.Code.unreachable, true), (.failed, true), (.refused, false), (.damaged, false)])
    func aFailureSaysWhetherAnotherTryMayHelp(code: Failure.Code, retry: Bool) async throws {
        let directory = try TemporaryDirectory("state")
        let shelf = try AgentState(directory.path + "/a").results
        let worker = Doing { _ in throw Failure(code, "so it is") }
        let script = Script([Self.response(try Self.assignment())])
        let report = try await running(script, worker, shelf: shelf) { await script.nextReport() }
        guard case .failed(let failure) = report?.outcome else {
            Issue.record("not failed")
            return
        }
        #expect(failure.code == code)
        #expect(failure.retry == retry)
        #expect(try shelf.result(of: try Job.ID("job-1")) == nil)
    }

    @Test func onlyOneAgentHasAStateDirectory() throws {
        let directory = try TemporaryDirectory("state")
        let first = try AgentState(directory.path + "/a")
        #expect(throws: Failure(.refused, "")) { try AgentState(directory.path + "/a") }
        _ = first
    }
}
