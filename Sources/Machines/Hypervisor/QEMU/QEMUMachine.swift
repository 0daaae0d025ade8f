internal import Logging
internal import Platform
internal import Synchronization

/// A machine run by QEMU. The process behind it may be replaced once, when KVM turns out not to carry the guest.
final class QEMUMachine: RunningMachine {
    private struct State {
        var process: QEMUProcess
        var report: AcceleratorReport
        /// Accelerators not tried yet.
        var remaining: [AcceleratorReport]
        /// Whoever waits for readiness gives up.
        var isStopping = false
    }

    private let launcher: QEMULauncher
    private let now: Mutex<State>
    private let started: UInt64
    /// One at a time: probing reads the serial log on and may replace the process, stopping must be last.
    private let conductor = Mutex(())

    /// - Throws: the last accelerator's failure when none can run it.
    init(launcher: QEMULauncher, candidates: [AcceleratorReport]) throws(Failure) {
        self.launcher = launcher
        started = launcher.surroundings.uptime()
        now = Mutex(try Self.launchFirst(of: candidates, launcher, because: nil))
    }

    var machine: DefinedMachine { launcher.machine }
    var accelerator: AcceleratorReport { now.withLock { $0.report } }
    var probePort: UInt16? { process.probePort }
    private var process: QEMUProcess { now.withLock { $0.process } }

    private static func launchFirst(
        of candidates: [AcceleratorReport], _ launcher: QEMULauncher, because reason: String?
    ) throws(Failure) -> State {
        var reason = reason
        var last = Failure(.failed, "No accelerator can run \(launcher.machine.definition.name)")
        for (index, candidate) in candidates.enumerated() {
            var report = candidate
            if let reason { report.reason = reason }
            do throws(Failure) {
                let process = try launcher.launch(candidate.accelerator)
                return State(process: process, report: report, remaining: Array(candidates[(index + 1)...]))
            } catch {
                last = error
                reason = "\(candidate.accelerator.rawValue) failed: \(error.description)"
                launcher.log.warning("accelerator failed", metadata: ["reason": "\(error)"])
            }
        }
        throw last
    }

    func state() throws(Failure) -> MachineState { try process.state() }

    func resume() throws(Failure) { try process.monitor.perform("cont") }

    func screenshot() throws(Failure) -> [UInt8] {
        try Screenshot.take(process.monitor, path: launcher.path(QEMUCommandLine.screen))
    }

    // MARK: - Ready

    func waitUntilReady(_ probes: [Probe], within limit: Duration) throws(Failure) -> [ProbeResult] {
        try conducting { () throws(Failure) in
            let surroundings = launcher.surroundings
            let begun = surroundings.uptime()
            let deadline = begun.addingReportingOverflow(limit.wholeNanoseconds).partialValue
            while true {
                let prober = Prober(launcher: launcher, process: process, started: started) { [self] in
                    now.withLock { $0.isStopping }
                }
                let hope = now.withLock { !$0.remaining.isEmpty }
                // With another accelerator left, this one has only until its canary; an earlier proof of life counts.
                let canary = begun.addingReportingOverflow(launcher.settings.canary.wholeNanoseconds).partialValue
                do throws(Failure) {
                    return try prober.run(probes, until: deadline, canary: hope ? canary : nil)
                } catch {
                    let mayHelp = error.code == .failed || error.code == .unreachable
                    guard hope, mayHelp, surroundings.uptime() < deadline else { throw error }
                    try replace(because: error)
                }
            }
        }
    }

    /// Starts again with the next accelerator.
    private func replace(because failure: Failure) throws(Failure) {
        let (failed, remaining) = now.withLock { ($0, $0.remaining) }
        failed.process.child.kill()
        _ = try failed.process.child.wait(until: .after(.seconds(10)))
        let reason = "\(failed.report.accelerator.rawValue) failed: \(failure.what)"
        launcher.log.warning("accelerator failed", metadata: ["reason": "\(reason)"])
        let next = try Self.launchFirst(of: remaining, launcher, because: reason)
        now.withLock { $0 = next }
    }

    // MARK: - Stop

    func stop(grace: Duration) throws(Failure) -> StopReport {
        now.withLock { $0.isStopping = true }
        return try conducting { () throws(Failure) in
            let begun = launcher.surroundings.uptime()
            let manner = try end(process, grace: grace)
            let milliseconds = (launcher.surroundings.uptime() - begun) / 1_000_000
            launcher.log.info(
                "machine stopped",
                metadata: ["machine": "\(machine.definition.name)", "manner": "\(manner.rawValue)"])
            return StopReport(manner: manner, milliseconds: milliseconds)
        }
    }

    private func end(_ process: QEMUProcess, grace: Duration) throws(Failure) -> StopReport.Manner {
        let child = process.child
        if child.exit != nil { return .alreadyEnded }
        if grace > .zero, (try? process.state()) == .running {
            askGuest(process, limit: min(grace, .seconds(2)))
            if try child.wait(until: .after(grace)) != nil { return .shutDown }
        }
        // QEMU may be gone before it answers.
        _ = try? process.monitor.perform("quit", within: .seconds(5))
        if try child.wait(until: .after(.seconds(5))) != nil { return .quit }
        child.kill()
        guard try child.wait(until: .after(.seconds(10))) != nil else {
            throw Failure(
                .failed, "The process \(child.identifier) of \(machine.definition.name) does not end when killed",
                advice: "It hangs in the kernel; look at its disks.")
        }
        return .killed
    }

    /// By the agent, or by the power button where no agent answers.
    private func askGuest(_ process: QEMUProcess, limit: Duration) {
        do throws(Failure) {
            let deadline = Deadline.after(limit)
            let agent = try GuestAgent(
                StreamSocket.connect(unix: launcher.path(QEMUCommandLine.agent), by: deadline), mark: launcher.mark(),
                by: deadline)
            try agent.tell("guest-shutdown", ["mode": "powerdown"], by: deadline)
        } catch {
            _ = try? process.monitor.perform("system_powerdown")
        }
    }

    private func conducting<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let outcome: Swift.Result<Result, Failure> = conductor.withLock { _ in
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}

extension QEMULauncher {
    /// A number that an agent cannot have from an earlier conversation.
    func mark() -> Int64 { surroundings.random(6).reduce(0) { $0 << 8 | Int64($1) } }
}

extension Duration {
    /// Never negative; as many as fit.
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max / 2 : product + UInt64(attoseconds / 1_000_000_000)
    }
}
