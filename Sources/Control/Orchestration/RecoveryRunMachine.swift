package import Model
package import Platform

/// The life of a recovery run, from declaration to clean-up. States and legal next states stand on
/// `RecoveryRun.State`; every step leaves its time.
package struct RecoveryRunMachine: Sendable {
    package private(set) var run: RecoveryRun

    package init(_ run: RecoveryRun) { self.run = run }

    package enum Event: Sendable, Equatable {
        /// The run is written down; begin.
        case begin
        /// The agent says that the machine runs and its answer is awaited.
        case machineStarted
        case answered(RecoveryEvidence)
        /// The start came to nothing, for good.
        case startFailed(WorkFailure)
        /// An operator wants the machine gone, whatever it is doing.
        case cleanUp
        case stopped
        case stopFailed(WorkFailure)
    }

    package enum Action: Sendable, Equatable {
        case orderStart
        /// Withdraw the order to start, where it still stands.
        case cancelStart
        case orderStop
        case journal(String, [String: String])
    }

    /// - Throws: `.exists` for an event that the state does not allow. The run is then as it was.
    package mutating func on(_ event: Event, now: Timestamp) throws(Failure) -> [Action] {
        switch (run.state, event) {
        case (.declared, .begin):
            run.state = .starting
            run.times.starting = now
            return [.orderStart, .journal("recoveryRun.starting", ["site": run.plan.site.text])]
        case (.starting, .machineStarted):
            run.state = .probing
            run.times.probing = now
            return [.journal("recoveryRun.probing", [:])]
        case (.starting, .answered(let evidence)), (.probing, .answered(let evidence)):
            run.state = .ready
            run.times.ready = now
            run.evidence = evidence
            let reached = run.recoveryMilliseconds ?? 0
            return [
                .journal(
                    "recoveryRun.ready",
                    [
                        "recoveryMilliseconds": "\(reached)", "lossMilliseconds": "\(run.lossMilliseconds)",
                        "answeredBy": evidence.answeredBy, "accelerator": evidence.accelerator,
                    ])
            ]
        case (.declared, .startFailed(let failure)), (.starting, .startFailed(let failure)),
            (.probing, .startFailed(let failure)):
            return failed(failure, "recoveryRun.failed", now: now)
        case (.declared, .cleanUp), (.starting, .cleanUp), (.probing, .cleanUp):
            run.state = .cleaning
            return [.cancelStart, .orderStop, .journal("recoveryRun.cleaning", ["given up": "true"])]
        case (.ready, .cleanUp), (.failed, .cleanUp):
            run.state = .cleaning
            return [.orderStop, .journal("recoveryRun.cleaning", [:])]
        case (.cleaning, .stopped):
            run.state = .cleanedUp
            run.times.cleanedUp = now
            return [.journal("recoveryRun.cleanedUp", [:])]
        case (.cleaning, .stopFailed(let failure)):
            return failed(failure, "recoveryRun.cleanupFailed", now: now)
        // Heard twice, or overtaken by a clean-up: nothing more to do.
        case (.probing, .machineStarted), (.ready, .machineStarted), (.ready, .answered), (.failed, .startFailed),
            (.cleaning, .machineStarted), (.cleaning, .answered), (.cleaning, .startFailed), (.cleaning, .cleanUp),
            (.cleanedUp, .stopped), (.cleanedUp, .cleanUp), (.cleanedUp, .startFailed):
            return []
        default:
            throw Failure(.exists, "Recovery run \(run.id) is \(run.state.rawValue), where this cannot happen to it")
        }
    }

    private mutating func failed(_ failure: WorkFailure, _ what: String, now: Timestamp) -> [Action] {
        run.state = .failed
        run.times.failed = now
        run.failure = failure
        return [.journal(what, ["code": failure.code.rawValue, "why": failure.what])]
    }
}
