import Coordinator
import Model
import Platform
import Testing
import Wire

@Suite struct RecoveryTests {
    static let probe = Probe(readyLine: "READY", port: 8022, deadlineSeconds: 60)

    /// A recovery point with a copy at Shanghai.
    static func copied(_ house: House) async throws -> (TestAgent, TestAgent) {
        let (hongKong, shanghai) = try await house.settled()
        _ = try await house.backup()
        try await hongKong.done(try await hongKong.next(), hongKong.backedUp(at: house.now))
        _ = try await house.order(
            JobOrder(kind: .replicate, tenant: .init("harbour-trading"), site: .init("cn-shbao")))
        try await shanghai.done(
            try await shanghai.next(),
            .replicate(
                ReplicateResult(
                    snapshots: [TestAgent.snapshot], copiedBytes: 1, objects: 1, milliseconds: 1,
                    head: LogHead(number: 2, hash: Digest.zero.hex))))
        return (hongKong, shanghai)
    }

    static func evidence(_ house: House) -> RecoveryEvidence {
        RecoveryEvidence(
            readyLine: "READY 1", answeredBy: "tcp 8022", started: house.now, readyLineAt: house.now,
            answered: house.now,
            milliseconds: 4000, screenshot: "/s.png", accelerator: "tcg", reach: ["8022 -> 127.0.0.1:4022"])
    }

    static func run(_ house: House, _ id: RecoveryRun.ID) async throws -> RecoveryRun {
        try await house.get(RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(id)")
    }

    @Test func aDesktopIsStartedAtTheOtherSiteAndItsTimesAreKept() async throws {
        try await Estate().running { house in
            let (_, shanghai) = try await Self.copied(house)
            house.clock.advance(seconds: 60)
            let declared = try await house.post(
                RecoveryRun.self, OperatorRoute.recoveryRuns,
                RecoveryOrder(desktop: .init("desktop-1"), site: .init("cn-shbao"), probe: Self.probe))
            #expect(declared.state == .starting)
            let start = try await shanghai.next()
            guard case .recover(let work) = start.work else { throw Failure(.failed, "not a recovery") }
            #expect(work.snapshot == TestAgent.snapshot && work.machine.ports == [8022] && work.accelerator == .tcg)
            let grant = try #require(start.grant)
            #expect(try shanghai.open(grant).readers.first?.secret != nil)
            _ = try await shanghai.beat(start, .probing)
            #expect(try await Self.run(house, declared.id).state == .probing)
            try await shanghai.done(start, .recover(Self.evidence(house)))
            let ready = try await Self.run(house, declared.id)
            #expect(ready.state == .ready)
            #expect(ready.evidence?.readyLine == "READY 1")
            #expect(ready.recoveryMilliseconds != nil && ready.lossMilliseconds >= 60_000)

            let cleaning = try await house.asOperator {
                try await $0.post(RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(declared.id)/cleanup")
            }
            #expect(cleaning.state == .cleaning)
            try await shanghai.done(try await shanghai.next(), .stopMachine)
            #expect(try await Self.run(house, declared.id).state == .cleanedUp)
        }
    }

    @Test func withoutACopyAtTheSiteNothingIsStarted() async throws {
        try await Estate().running { house in
            let (hongKong, _) = try await house.settled()
            _ = try await house.backup()
            try await hongKong.done(try await hongKong.next(), hongKong.backedUp(at: house.now))
            let order = RecoveryOrder(
                desktop: try .init("desktop-1"), site: try .init("cn-shbao"), probe: Self.probe)
            #expect(
                await failure { _ = try await house.post(RecoveryRun.self, OperatorRoute.recoveryRuns, order) }
                    == .notFound)
        }
    }

    @Test func aStartThatFailsSaysWhyAndCanBeCleanedUp() async throws {
        try await Estate().running { house in
            let (_, shanghai) = try await Self.copied(house)
            let run = try await house.post(
                RecoveryRun.self, OperatorRoute.recoveryRuns,
                RecoveryOrder(desktop: .init("desktop-1"), site: .init("cn-shbao"), probe: Self.probe))
            let start = try await shanghai.next()
            let failure = WorkFailure(Failure(.failed, "no ready line in 60 s"), retry: false)
            _ = try await shanghai.client.report(
                ReportRequest(job: start.job, term: start.term, outcome: .failed(failure)))
            let failed = try await Self.run(house, run.id)
            #expect(failed.state == .failed && failed.failure?.what == "no ready line in 60 s")
            _ = try await house.asOperator {
                try await $0.post(RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(run.id)/cleanup")
            }
            #expect(try await shanghai.next().work.kind == .stopMachine)
        }
    }
}
