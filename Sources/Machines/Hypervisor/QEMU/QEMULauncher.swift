internal import Glibc
internal import Logging
internal import Platform

/// Brings one QEMU process up to where its guest's first instruction runs.
package struct QEMULauncher: Sendable {
    let machine: DefinedMachine
    let settings: QEMUSettings
    let surroundings: Surroundings
    let log: Logger

    func path(_ name: String) -> String { "\(machine.folder)/\(name)" }

    /// - Throws: `.failed` with the end of QEMU's own log; then nothing runs.
    func launch(_ accelerator: Accelerator) throws(Failure) -> QEMUProcess {
        for name in [QEMUCommandLine.monitor, QEMUCommandLine.agent, QEMUCommandLine.serialLog, QEMUCommandLine.log] {
            unsafe unlink(path(name))
        }
        let line = QEMUCommandLine(
            machine: machine, accelerator: accelerator, firmwareCode: settings.firmwareCode)
        let child = try ChildProcess.start(
            ProcessLaunch(
                settings.program, line.arguments, environment: ["LC_ALL": "C"], directory: machine.folder,
                output: .file(path(QEMUCommandLine.log)), errors: .file(path(QEMUCommandLine.log))))
        do throws(Failure) {
            let monitor = try QMPClient(try connect(child), within: settings.startLimit)
            let port = machine.definition.network.probePort == nil ? nil : try forwardedPort(monitor)
            try monitor.perform("cont")
            log.info(
                "machine started",
                metadata: [
                    "machine": "\(machine.definition.name)", "pid": "\(child.identifier)", "qemu": "\(monitor.version)",
                    "accelerator": "\(accelerator.rawValue)",
                ])
            return QEMUProcess(child: child, monitor: monitor, probePort: port)
        } catch {
            child.kill()
            _ = try? child.wait(until: .after(.seconds(10)))
            throw Failure(
                .failed, "QEMU with \(accelerator.rawValue) does not run \(machine.definition.name): \(error.what)",
                advice: complaint)
        }
    }

    /// QEMU makes its socket a moment after it starts.
    private func connect(_ child: ChildProcess) throws(Failure) -> StreamSocket {
        let deadline = Deadline.after(settings.startLimit)
        while true {
            do throws(Failure) {
                return try StreamSocket.connect(unix: path(QEMUCommandLine.monitor))
            } catch {
                if let exit = child.exit { throw Failure(.failed, "it ended with \(exit)") }
                if deadline.hasPassed { throw error.during("its monitor does not answer") }
            }
            surroundings.pause(5_000_000)
        }
    }

    /// The port that the kernel chose, from the only place where QEMU tells it.
    private func forwardedPort(_ monitor: QMPClient) throws(Failure) -> UInt16 {
        let answer = try monitor.perform("human-monitor-command", ["command-line": "info usernet"])
        guard let port = Self.forwardedPort(in: answer.string ?? "") else {
            throw Failure(.failed, "QEMU does not tell the port of its probe")
        }
        return port
    }

    /// `  TCP[HOST_FORWARD]   8       127.0.0.1 44659       10.0.2.15  7777     0     0`
    package static func forwardedPort(in text: String) -> UInt16? {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ").map { String($0) }
            if words.count >= 4, words[0] == "TCP[HOST_FORWARD]", words[2] == "127.0.0.1" { return UInt16(words[3]) }
        }
        return nil
    }

    /// The end of what QEMU complained about, for people.
    var complaint: String {
        guard let file = try? Descriptor.open(path(QEMUCommandLine.log), O_RDONLY),
            let bytes = try? file.readSome(limit: 4096)
        else { return "" }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).prefix(3)
        return lines.isEmpty ? "" : "QEMU says: " + lines.map { SerialLog.printable($0.utf8) }.joined(separator: " / ")
    }
}

/// One running QEMU with its monitor.
final class QEMUProcess: Sendable {
    let child: ChildProcess
    let monitor: QMPClient
    let probePort: UInt16?

    init(child: ChildProcess, monitor: QMPClient, probePort: UInt16?) {
        self.child = child
        self.monitor = monitor
        self.probePort = probePort
    }

    func state() throws(Failure) -> MachineState {
        if let exit = child.exit { return .ended("\(exit)") }
        let status: JSONValue
        do throws(Failure) { status = try monitor.perform("query-status") } catch {
            // The process may end under the question.
            if let exit = try child.wait(until: .after(.seconds(1))) { return .ended("\(exit)") }
            throw error
        }
        return switch status["status"]?.string ?? "unknown" {
        case "running": .running
        case "io-error": .stoppedByDisk
        case "shutdown": .ended("shut down")
        case let word: .paused(SerialLog.printable(word.utf8))
        }
    }
}
