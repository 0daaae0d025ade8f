import Model
import Orchestration
import Platform
import Testing

/// Times, ids and jobs that tests of the machines speak of.
enum Given {
    static func time(_ seconds: Int64) -> Timestamp { Timestamp(seconds: 1_000_000 + seconds) }

    static func job(
        _ name: String = "job-1", site: String = "hk-alc", tenant: String = "harbour-trading",
        desktop: String? = "desktop-1", work: Work? = nil, created: Int64 = 0, attempts: Int = 3,
        run: RecoveryRun.ID? = nil
    ) throws -> Job {
        Job(
            id: try .init(name), site: try .init(site), tenant: try .init(tenant),
            desktop: try desktop.map { try .init($0) }, work: try work ?? backup(), run: run, attemptLimit: attempts,
            created: time(created))
    }

    static func place(_ tenant: String = "harbour-trading") throws -> RepositoryPlace {
        RepositoryPlace(
            tenant: try .init(tenant), repository: Digest.zero.hex, vaultID: String(repeating: "0", count: 32),
            head: nil)
    }

    static func backup(_ desktop: String = "desktop-1") throws -> Work {
        .backup(BackupWork(repository: try place(), desktop: try .init(desktop), diskImage: "/disk.img", folders: []))
    }

    static func stopped() -> WorkResult { .stopMachine }

    static func backedUp() -> WorkResult {
        .backup(
            BackupResult(
                snapshot: String(repeating: "ab", count: 32), taken: time(0), hasDisk: true, hasFiles: false, bytes: 1,
                storedBytes: 1, files: 0, milliseconds: 1, warnings: [],
                head: LogHead(number: 1, hash: Digest.zero.hex)))
    }

    static func failure(retry: Bool) -> WorkFailure { WorkFailure(Failure(.full, "no room"), retry: retry) }
}

@Suite struct JobMachineTests {
    let agent: EnrolledAgent.ID
    let other: EnrolledAgent.ID

    init() throws {
        agent = try .init("agent-1")
        other = try .init("agent-2")
    }

    func leased(_ attempts: Int = 3) throws -> JobMachine {
        var machine = JobMachine(try Given.job(attempts: attempts))
        _ = try machine.on(.lease(agent: agent, seconds: 30), now: Given.time(1))
        return machine
    }

    func running() throws -> JobMachine {
        var machine = try leased()
        _ = try machine.on(beat(1), now: Given.time(2))
        return machine
    }

    func beat(_ term: UInt64, by who: EnrolledAgent.ID? = nil) -> JobMachine.Event {
        .heartbeat(agent: who ?? agent, term: term, progress: JobProgress(stage: .reading, done: 5), seconds: 30)
    }

    func done(_ term: UInt64, by who: EnrolledAgent.ID? = nil) -> JobMachine.Event {
        .report(agent: who ?? agent, term: term, outcome: .done(Given.backedUp()))
    }

    func failed(_ term: UInt64, retry: Bool) -> JobMachine.Event {
        .report(agent: agent, term: term, outcome: .failed(Given.failure(retry: retry)))
    }

    @Test func aJobIsLeasedHeardOfAndDone() throws {
        var machine = try leased()
        #expect(machine.job.state == .leased(Lease(term: 1, agent: agent, expires: Given.time(31))))
        #expect(try machine.on(beat(1), now: Given.time(10)).contains(.answer(.goOn)))
        #expect(machine.job.state == .running(Lease(term: 1, agent: agent, expires: Given.time(40))))
        #expect(machine.job.progress?.done == 5)
        let actions = try machine.on(done(1), now: Given.time(20))
        #expect(actions.contains(.settle))
        #expect(machine.job.state == .done(Given.backedUp()))
    }

    @Test func theSameReportAgainSettlesNothing() throws {
        var machine = try running()
        _ = try machine.on(done(1), now: Given.time(5))
        let state = machine.job
        #expect(try machine.on(done(1), now: Given.time(6)) == [.alreadySettled])
        #expect(machine.job == state)
    }

    @Test func aLeaseThatRunsOutGoesBackToTheQueueUnderAHigherTerm() throws {
        var machine = try running()
        #expect(try machine.on(.tick, now: Given.time(31)).isEmpty, "not before its time")
        let actions = try machine.on(.tick, now: Given.time(32))
        #expect(actions.contains(.wake(machine.job.site)))
        #expect(machine.job.state == .queued)
        #expect(machine.job.attempts == 1)
        _ = try machine.on(.lease(agent: other, seconds: 30), now: Given.time(33))
        #expect(machine.job.term == 2)
    }

    @Test func aLateReportUnderAnOldTermIsRefused() throws {
        var machine = try running()
        _ = try machine.on(.tick, now: Given.time(60))
        _ = try machine.on(.lease(agent: other, seconds: 30), now: Given.time(61))
        let before = machine.job
        #expect(throws: Failure(.refused, "")) { _ = try machine.on(done(1), now: Given.time(62)) }
        #expect(machine.job == before)
        #expect(try machine.on(beat(1), now: Given.time(62)) == [.answer(.lost)])
        #expect(try machine.on(done(2, by: other), now: Given.time(63)).contains(.settle))
    }

    @Test func aReportWithoutALeaseIsRefused() throws {
        var machine = try running()
        _ = try machine.on(.tick, now: Given.time(60))
        #expect(throws: Failure(.refused, "")) { _ = try machine.on(done(1), now: Given.time(61)) }
        #expect(machine.job.state == .queued)
    }

    @Test func anotherAgentsReportAndHeartbeatDoNotCount() throws {
        var machine = try running()
        #expect(throws: Failure(.refused, "")) { _ = try machine.on(done(1, by: other), now: Given.time(3)) }
        let before = machine.job
        #expect(try machine.on(beat(1, by: other), now: Given.time(3)) == [.answer(.lost)])
        #expect(machine.job == before)
    }

    @Test func aResultOfAnotherKindIsRefused() throws {
        var machine = try running()
        let report = JobMachine.Event.report(agent: agent, term: 1, outcome: .done(.stopMachine))
        #expect(throws: Failure(.usage, "")) { _ = try machine.on(report, now: Given.time(3)) }
        #expect(machine.job.state.name == .running)
    }

    @Test func attemptsAreBounded() throws {
        var machine = JobMachine(try Given.job(attempts: 3))
        for attempt in 1...3 {
            let now = Given.time(Int64(attempt) * 100)
            _ = try machine.on(.lease(agent: agent, seconds: 30), now: now)
            let actions = try machine.on(.tick, now: now.advanced(seconds: 30))
            #expect(actions.contains(.settle) == (attempt == 3))
        }
        #expect(machine.job.state.name == .failed)
        #expect(throws: Failure(.exists, "")) {
            _ = try machine.on(.lease(agent: agent, seconds: 30), now: Given.time(999))
        }
    }

    @Test func aFailureWorthAnotherTryRestsAndThenWakesTheSite() throws {
        var machine = try running()
        _ = try machine.on(failed(1, retry: true), now: Given.time(10))
        #expect(machine.job.state == .queued)
        #expect(machine.job.notBefore == Given.time(12))
        #expect(throws: Failure(.exists, "")) {
            _ = try machine.on(.lease(agent: agent, seconds: 30), now: Given.time(11))
        }
        #expect(try machine.on(.tick, now: Given.time(11)).isEmpty)
        #expect(try machine.on(.tick, now: Given.time(12)) == [.wake(machine.job.site)])
        _ = try machine.on(.lease(agent: agent, seconds: 30), now: Given.time(12))
        #expect(machine.job.term == 2)
    }

    @Test func aFailureThatWillNotPassEndsTheJob() throws {
        var machine = try running()
        #expect(try machine.on(failed(1, retry: false), now: Given.time(10)).contains(.settle))
        #expect(machine.job.state == .failed(Given.failure(retry: false)))
    }

    @Test func aJobGivenBackCountsAsAnAttempt() throws {
        var machine = try running()
        _ = try machine.on(.report(agent: agent, term: 1, outcome: .cancelled), now: Given.time(3))
        #expect(machine.job.state == .queued)
        #expect(machine.job.attempts == 1)
        #expect(machine.job.notBefore == nil)
    }

    @Test func cancellingWaitsForTheAgentOrTheLease() throws {
        var queued = JobMachine(try Given.job())
        #expect(try queued.on(.cancel, now: Given.time(1)).contains(.settle))
        #expect(queued.job.state == .cancelled)

        var machine = try running()
        let actions = try machine.on(.cancel, now: Given.time(3))
        #expect(actions.contains { if case .stop = $0 { true } else { false } })
        #expect(try machine.on(beat(1), now: Given.time(4)) == [.answer(.cancel)])
        #expect(try machine.on(.cancel, now: Given.time(4)).isEmpty)
        _ = try machine.on(.report(agent: agent, term: 1, outcome: .cancelled), now: Given.time(5))
        #expect(machine.job.state == .cancelled)

        var silent = try running()
        _ = try silent.on(.cancel, now: Given.time(3))
        _ = try silent.on(.tick, now: Given.time(100))
        #expect(silent.job.state == .cancelled, "an agent that never answers does not keep the job open")

        var quick = try running()
        _ = try quick.on(.cancel, now: Given.time(3))
        _ = try quick.on(done(1), now: Given.time(4))
        #expect(quick.job.state.name == .done, "what was done before the word arrived is done")

        var over = try running()
        _ = try over.on(done(1), now: Given.time(3))
        #expect(throws: Failure(.exists, "")) { _ = try over.on(.cancel, now: Given.time(4)) }
    }

    @Test func aCoordinatorThatWasAwayGivesEveryLeaseItsTimeAgain() throws {
        var machine = try running()
        _ = try machine.on(.resumed(seconds: 30), now: Given.time(1000))
        #expect(try machine.on(.tick, now: Given.time(1001)).isEmpty)
        #expect(try machine.on(beat(1), now: Given.time(1002)).contains(.answer(.goOn)))
    }

    /// Every event in every state: the term never falls, what is over stays as it is, and only one settling happens.
    @Test func whateverHappensInWhateverOrderTheRulesHold() throws {
        for seed in 0..<400 {
            var random = SeededGenerator(seed: UInt64(seed))
            var machine = JobMachine(try Given.job(attempts: 4))
            var now: Int64 = 0
            var settled = 0
            for _ in 0..<60 {
                now += Int64.random(in: 0...20, using: &random)
                let term = UInt64.random(in: 0...(machine.job.term + 1), using: &random)
                let who = Bool.random(using: &random) ? agent : other
                let events: [JobMachine.Event] =
                    [
                        .lease(agent: who, seconds: 30), beat(term, by: who), done(term, by: who),
                        .report(agent: who, term: term, outcome: .failed(Given.failure(retry: true))),
                        .report(agent: who, term: term, outcome: .cancelled), .tick, .resumed(seconds: 30),
                    ] + (Int.random(in: 0..<20, using: &random) == 0 ? [.cancel] : [])
                let event = try #require(events.randomElement(using: &random))
                let before = machine.job
                do {
                    let actions = try machine.on(event, now: Given.time(now))
                    settled += actions.count { $0 == .settle }
                } catch { #expect(machine.job == before) }
                #expect(machine.job.term >= before.term)
                #expect(machine.job.attempts <= machine.job.attemptLimit)
                if before.state.isOver { #expect(machine.job == before) }
                if case .done = machine.job.state, !before.state.isOver {
                    #expect(before.state.lease?.agent == who && before.state.lease?.term == term)
                }
            }
            #expect(settled <= 1)
            #expect((settled == 1) == machine.job.state.isOver)
        }
    }
}

/// SplitMix64: one seed, one sequence.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
