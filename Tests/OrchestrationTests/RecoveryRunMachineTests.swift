import Model
import Orchestration
import Platform
import Testing

@Suite struct RecoveryRunMachineTests {
    static func run() throws -> RecoveryRun {
        RecoveryRun(
            id: try .init("run-1"), kind: .unplanned, tenant: try .init("harbour-trading"),
            plan: RecoveryPlan(
                desktop: try .init("desktop-1"), site: try .init("cn-shbao"),
                probe: Probe(readyLine: "ready", port: 80),
                accelerator: .auto),
            point: try .init("point-1"), snapshot: "abcd", pointTaken: Given.time(0), declared: Given.time(60))
    }

    static let evidence = RecoveryEvidence(
        readyLine: "ready", answeredBy: "tcp 80", started: Given.time(61), readyLineAt: nil, answered: Given.time(65),
        milliseconds: 4000, screenshot: nil, accelerator: "tcg", reach: [])

    static let failure = WorkFailure(Failure(.failed, "it did not answer"), retry: false)

    static let events: [RecoveryRunMachine.Event] = [
        .begin, .machineStarted, .answered(evidence), .startFailed(failure), .cleanUp, .stopped, .stopFailed(failure),
    ]

    /// A run brought to `state` by the shortest way.
    static func machine(in state: RecoveryRun.State) throws -> RecoveryRunMachine {
        var machine = RecoveryRunMachine(try run())
        let way: [RecoveryRunMachine.Event] =
            switch state {
            case .declared: []
            case .starting: [.begin]
            case .probing: [.begin, .machineStarted]
            case .ready: [.begin, .machineStarted, .answered(evidence)]
            case .failed: [.begin, .startFailed(failure)]
            case .cleaning: [.begin, .machineStarted, .answered(evidence), .cleanUp]
            case .cleanedUp: [.begin, .machineStarted, .answered(evidence), .cleanUp, .stopped]
            }
        for (index, event) in way.enumerated() { _ = try machine.on(event, now: Given.time(61 + Int64(index))) }
        #expect(machine.run.state == state)
        return machine
    }

    @Test func aRunGoesFromDeclarationToCleanUpAndKeepsItsTimes() throws {
        var machine = RecoveryRunMachine(try Self.run())
        #expect(try machine.on(.begin, now: Given.time(61)).contains(.orderStart))
        _ = try machine.on(.machineStarted, now: Given.time(62))
        _ = try machine.on(.answered(Self.evidence), now: Given.time(66))
        #expect(machine.run.recoveryMilliseconds == 6000)
        #expect(machine.run.lossMilliseconds == 60000)
        #expect(machine.run.evidence == Self.evidence)
        #expect(try machine.on(.cleanUp, now: Given.time(70)).contains(.orderStop))
        _ = try machine.on(.stopped, now: Given.time(71))
        #expect(machine.run.state == .cleanedUp)
        #expect(machine.run.times.cleanedUp == Given.time(71))
    }

    @Test func aCleanUpBeforeTheAnswerWithdrawsTheStart() throws {
        for state in [RecoveryRun.State.starting, .probing] {
            var machine = try Self.machine(in: state)
            let actions = try machine.on(.cleanUp, now: Given.time(80))
            #expect(actions.contains(.cancelStart) && actions.contains(.orderStop))
            #expect(try machine.on(.answered(Self.evidence), now: Given.time(81)).isEmpty)
            #expect(machine.run.state == .cleaning, "an answer that comes too late changes nothing")
        }
    }

    @Test func aStopThatFailsCanBeTriedAgain() throws {
        var machine = try Self.machine(in: .cleaning)
        _ = try machine.on(.stopFailed(Self.failure), now: Given.time(80))
        #expect(machine.run.state == .failed)
        #expect(try machine.on(.cleanUp, now: Given.time(81)).contains(.orderStop))
    }

    /// The table of the doc comments, as a table.
    @Test(arguments: RecoveryRun.State.allCases) func onlyLegalStatesFollow(_ state: RecoveryRun.State) throws {
        let legal: [RecoveryRun.State: Set<RecoveryRun.State>] = [
            .declared: [.starting, .failed, .cleaning], .starting: [.probing, .ready, .failed, .cleaning],
            .probing: [.ready, .failed, .cleaning], .ready: [.cleaning], .failed: [.cleaning],
            .cleaning: [.cleanedUp, .failed], .cleanedUp: [],
        ]
        var reached: Set<RecoveryRun.State> = []
        for event in Self.events {
            var machine = try Self.machine(in: state)
            let before = machine.run
            do {
                let actions = try machine.on(event, now: Given.time(90))
                #expect((machine.run == before) == actions.isEmpty, "\(state) \(event)")
            } catch { #expect(machine.run == before) }
            if machine.run.state != state { reached.insert(machine.run.state) }
        }
        #expect(reached == legal[state])
    }
}
