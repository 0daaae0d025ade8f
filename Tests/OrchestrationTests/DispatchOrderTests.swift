import Model
import Orchestration
import Platform
import Testing

@Suite struct DispatchOrderTests {
    let hongKong: Site.ID
    let agent: EnrolledAgent.ID
    init() throws {
        hongKong = try .init("hk-alc")
        agent = try .init("agent-1")
    }

    func next(_ open: [Job], room: Int = 8, now: Int64 = 100) -> [String] {
        DispatchOrder.next(for: hongKong, open: open, room: room, now: Given.time(now)).map(\.text)
    }

    func leased(_ job: Job) throws -> Job {
        var machine = JobMachine(job)
        _ = try machine.on(.lease(agent: agent, seconds: 30), now: Given.time(50))
        return machine.job
    }

    @Test func recoveriesComeFirstThenTheOldest() throws {
        let run = try RecoveryRun.ID("run-1")
        let recover = Work.recover(
            RecoverWork(
                repository: try Given.place(), run: run, desktop: try .init("desktop-9"), snapshot: "abcd",
                machine: MachineProfile(), probe: Probe(readyLine: "", port: nil), accelerator: .auto))
        let open = [
            try Given.job("late", desktop: "desktop-2", work: Given.backup("desktop-2"), created: 5),
            try Given.job("early", desktop: "desktop-1", created: 1),
            try Given.job("recover", desktop: "desktop-9", work: recover, created: 9, run: run),
            try Given.job("elsewhere", site: "cn-shbao", desktop: "desktop-4", created: 0),
        ]
        #expect(next(open) == ["recover", "early", "late"])
        #expect(next(open, room: 1) == ["recover"])
        #expect(next(open, room: 0).isEmpty)
    }

    @Test func nothingOfATenantGoesBeforeItsRepository() throws {
        let initialise = Work.initialiseRepository(
            InitialiseRepositoryWork(
                repository: try Given.place(), charter: Octets([]), siteCertificate: Octets([]), slot: nil))
        let repository = try Given.job("repository", desktop: nil, work: initialise)
        let backup = try Given.job("backup")
        let stranger = try Given.job("stranger", tenant: "other")
        #expect(next([backup, repository, stranger]) == ["repository", "stranger"])
        #expect(next([backup, try leased(repository)]).isEmpty)
        #expect(next([backup]) == ["backup"])
    }

    @Test func aCopyWaitsForTheRepositoryItIsMadeFrom() throws {
        let initialise = Work.initialiseRepository(
            InitialiseRepositoryWork(
                repository: try Given.place(), charter: Octets([]), siteCertificate: Octets([]), slot: nil))
        let there = try Given.job("there", site: "cn-shbao", desktop: nil, work: initialise)
        let copy = try Given.job(
            "copy", desktop: nil,
            work: .replicate(
                ReplicateWork(
                    repository: Given.place(), peer: .init("cn-shbao"), peerAgent: .init("agent-2"),
                    peerAddress: "https://peer:1", peerVaultID: String(repeating: "0", count: 32), peerHead: nil)))
        #expect(next([there, copy]).isEmpty)
        #expect(next([copy]) == ["copy"])
        #expect(next([copy, try leased(Given.job("copy-0", desktop: nil, work: copy.work))]).isEmpty)
    }

    @Test func oneBackupOfADesktopAtATime() throws {
        let first = try Given.job("first", created: 1)
        let second = try Given.job("second", created: 2)
        #expect(next([first, second]) == ["first"])
        #expect(next([try leased(first), second]).isEmpty)
    }

    @Test func aMachineIsStoppedWhenItsStartIsOver() throws {
        let run = try RecoveryRun.ID("run-1")
        let start = try Given.job(
            "start",
            work: .recover(
                RecoverWork(
                    repository: Given.place(), run: run, desktop: .init("desktop-1"), snapshot: "abcd",
                    machine: MachineProfile(), probe: Probe(readyLine: "", port: nil), accelerator: .auto)), run: run)
        let stop = try Given.job(
            "stop", work: .stopMachine(StopMachineWork(run: run, desktop: .init("desktop-1"))), run: run)
        #expect(next([try leased(start), stop]).isEmpty)
        #expect(next([stop]) == ["stop"])
    }

    @Test func whatRestsAfterAFailureIsNotTaken() throws {
        var resting = try Given.job("resting")
        resting.notBefore = Given.time(101)
        #expect(next([resting]).isEmpty)
        #expect(next([resting], now: 101) == ["resting"])
    }
}
