import Hypervisor
import Logging
import Model
import Platform
import Repository
import Wire

extension SiteWorker {
    /// 1. What an earlier try left of the run is removed.
    /// 2. The site's own copy is opened, and the machine started on an overlay over our block server.
    /// 3. Its probes are awaited; then the screen is kept. The machine runs on.
    func recover(_ work: RecoverWork, _ context: WorkContext) throws -> RecoveryEvidence {
        let begun = surroundings.uptime()
        let folder = state.runFolder(work.run)
        let evidence = state.evidenceFolder(work.run)
        try machines.stop(work.run, folder: folder, grace: .zero)
        try PrivateFile.makeDirectory(folder)
        try PrivateFile.makeDirectory(evidence)

        context.tell(JobProgress(stage: .starting))
        let snapshot = try claim(work.snapshot, in: work.repository, runningMachine: true, context)
        let started = surroundings.now()
        let machine: any RunningMachine
        do {
            try context.goOn()
            machine = try machines.start(work, from: try Self.disk(of: snapshot.reader), in: folder) { [logger] in
                snapshot.release(logger: logger)
            }
        } catch {
            snapshot.release(logger: logger)
            throw error
        }
        do {
            context.tell(JobProgress(stage: .probing))
            let results = try wait(for: machine, work.probe, context)
            let answeredMilliseconds = milliseconds(since: begun)
            let screenshot = keepScreen(of: machine, in: evidence)
            return Self.evidence(
                work, machine, results, started: started, milliseconds: answeredMilliseconds, screenshot: screenshot,
                answered: surroundings.now())
        } catch {
            _ = keepScreen(of: machine, in: evidence)
            do { try machines.stop(work.run, folder: folder, grace: .zero) } catch {
                logger.error("A machine did not stop", metadata: ["run": "\(work.run)", "why": "\(error)"])
            }
            throw error
        }
    }

    func stopMachine(_ work: StopMachineWork) throws -> WorkResult {
        try machines.stop(work.run, folder: state.runFolder(work.run), grace: .seconds(5))
        return .stopMachine
    }

    /// Waits for the probes; a job that is asked to stop ends the machine under them.
    private func wait(
        for machine: any RunningMachine, _ probe: Model.Probe, _ context: WorkContext
    ) throws(Failure) -> [ProbeResult] {
        let isOver = Monitor(false)
        let watcher = EngineThread(name: "stop-watch") { [surroundings, logger] in
            while !isOver.access({ $0 }) {
                if context.stop != nil {
                    do throws(Failure) { _ = try machine.stop(grace: .zero) } catch {
                        logger.error("A machine did not stop", metadata: ["why": "\(error)"])
                    }
                    return
                }
                surroundings.pause(200_000_000)
            }
        }
        defer {
            isOver.access { $0 = true }
            watcher.join()
        }
        do throws(Failure) {
            return try machine.waitUntilReady(Self.probes(probe), within: .seconds(probe.deadlineSeconds))
        } catch {
            try context.goOn()
            throw error
        }
    }

    private static func probes(_ probe: Model.Probe) -> [MachineProbe] {
        var probes: [MachineProbe] = []
        if !probe.readyLine.isEmpty { probes.append(.serialLine(containing: probe.readyLine)) }
        probes.append(probe.port == nil ? .guestAgent : .tcp(answerContaining: ""))
        return probes
    }

    /// Nil when there is no picture to be had: evidence that lacks one is still evidence.
    private func keepScreen(of machine: any RunningMachine, in folder: String) -> String? {
        do throws(Failure) {
            let path = "\(folder)/screenshot.png"
            try PrivateFile.write(try machine.screenshot(), to: path)
            return path
        } catch {
            logger.notice("There is no screenshot", metadata: ["why": "\(error)"])
            return nil
        }
    }

    private static func evidence(
        _ work: RecoverWork, _ machine: any RunningMachine, _ results: [ProbeResult], started: Timestamp,
        milliseconds: UInt64, screenshot: String?, answered: Timestamp
    ) -> RecoveryEvidence {
        var readyLine = ""
        var readyLineAt: Timestamp?
        var answeredBy = ""
        for result in results {
            switch result.probe {
            case .serialLine, .serialMatch:
                readyLine = String(result.evidence.prefix(900))
                readyLineAt = Timestamp(
                    nanoseconds: started.nanoseconds &+ Int64(clamping: result.milliseconds) &* 1_000_000)
            case .tcp: answeredBy = "tcp \(work.probe.port.map { "\($0)" } ?? "")"
            case .guestAgent: answeredBy = "guest agent"
            }
        }
        var reach: [String] = []
        if let inside = work.probe.port ?? work.machine.ports.first, let outside = machine.probePort {
            reach.append("\(inside) -> 127.0.0.1:\(outside)")
        }
        return RecoveryEvidence(
            readyLine: readyLine, answeredBy: answeredBy, started: started, readyLineAt: readyLineAt,
            answered: answered, milliseconds: milliseconds, screenshot: screenshot,
            accelerator: machine.accelerator.accelerator.rawValue, reach: reach)
    }
}
