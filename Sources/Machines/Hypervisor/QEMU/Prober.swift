internal import Platform

/// Asks the probes of one process until all have answered, watching meanwhile that the machine can still get there.
final class Prober {
    private let launcher: QEMULauncher
    private let process: QEMUProcess
    private let started: UInt64
    private let serial: SerialLog
    private let isCancelled: @Sendable () -> Bool
    private static let interval: UInt64 = 20_000_000

    init(
        launcher: QEMULauncher, process: QEMUProcess, started: UInt64, isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.isCancelled = isCancelled
        self.launcher = launcher
        self.process = process
        self.started = started
        serial = SerialLog(path: launcher.path(QEMUCommandLine.serialLog))
    }

    /// - Parameters:
    ///   - deadline: when to give up, in nanoseconds of uptime.
    ///   - canary: when to give up unless the first probe has answered by then.
    func run(_ probes: [Probe], until deadline: UInt64, canary: UInt64?) throws(Failure) -> [ProbeResult] {
        var results: [ProbeResult] = []
        var round: UInt64 = 0
        while results.count < probes.count {
            let probe = probes[results.count]
            if let evidence = try answer(probe, until: deadline) {
                let now = launcher.surroundings.uptime()
                results.append(ProbeResult(probe: probe, evidence: evidence, milliseconds: (now - started) / 1_000_000))
                continue
            }
            if isCancelled() {
                throw Failure(.cancelled, "\(launcher.machine.definition.name) was stopped before it was ready")
            }
            if round.isMultiple(of: 5) { try checkThatItCanGetThere() }
            round += 1
            let now = launcher.surroundings.uptime()
            if let canary, results.isEmpty, now > min(canary, deadline) { throw late("showed no sign of life in time") }
            if now > deadline {
                throw late("was not ready in time: \(results.count) of \(probes.count) probes answered")
            }
            launcher.surroundings.pause(Self.interval)
        }
        return results
    }

    private func checkThatItCanGetThere() throws(Failure) {
        let name = launcher.machine.definition.name
        switch try process.state() {
        case .running: return
        case .ended(let how):
            throw Failure(.failed, "\(name) ended while it was starting: \(how)\(said)", advice: launcher.complaint)
        case .stoppedByDisk:
            throw Failure(
                .failed, "\(name) stopped at an error of its disk\(said)",
                advice: "Check the copy it boots from; resume goes on from here once the block server answers.")
        case .paused(let word): throw Failure(.failed, "\(name) stopped: \(word)\(said)")
        }
    }

    private func late(_ what: String) -> Failure {
        Failure(.unreachable, "\(launcher.machine.definition.name) \(what)\(said)")
    }

    private var said: String { serial.end.isEmpty ? "; its serial port is silent" : "; it last said: \(serial.end)" }

    // MARK: - The probes

    /// What the probe sees, or nil as long as it sees nothing.
    private func answer(_ probe: Probe, until deadline: UInt64) throws(Failure) -> String? {
        // Read on whatever the probe: the messages quote it.
        try serial.readOn()
        switch probe {
        case .serialLine(let text): return serial.lines.last { $0.contains(text) }
        case .serialMatch(let pattern):
            guard let expression = try? Regex(pattern) else {
                throw Failure(.usage, "\"\(pattern)\" is no regular expression")
            }
            return serial.lines.last { $0.firstMatch(of: expression) != nil }
        case .tcp(let text): return askPort(text)
        case .guestAgent: return askAgent()
        }
    }

    private func askPort(_ text: String) -> String? {
        let wait = Deadline.after(.milliseconds(500))
        guard let port = process.probePort, let socket = try? StreamSocket.connect(loopbackPort: port, by: wait)
        else { return nil }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < 65536 {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe (try? socket.receive(into: $0, by: wait)) ?? 0 }
            if count == 0 { return nil }
            answer += buffer[..<count]
            let seen = SerialLog.printable(answer)
            if text.isEmpty || seen.contains(text) { return seen }
        }
        return nil
    }

    private func askAgent() -> String? {
        let wait = Deadline.after(.seconds(1))
        guard let socket = try? StreamSocket.connect(unix: launcher.path(QEMUCommandLine.agent), by: wait),
            let agent = try? GuestAgent(socket, mark: launcher.mark(), by: wait),
            (try? agent.perform("guest-ping", by: wait)) != nil,
            let info = try? agent.perform("guest-info", by: wait)
        else { return nil }
        return "qemu-ga " + SerialLog.printable((info["version"]?.string ?? "of unknown version").prefix(64).utf8)
    }
}
