import BlockServer
import Hypervisor
package import Logging
package import Model
package import Platform
import Repository
import Synchronization

/// The machines of recovery runs that this agent has started, each with the block server its disk comes from.
///
/// None outlives the agent: the kernel ends their processes with ours. What they wrote lies in overlays in the run's
/// folder, until the run is cleaned up.
package final class SiteMachines: Sendable {
    private struct Member: Sendable {
        let machine: any RunningMachine
        let server: NBDServer
        /// Lets go of what the machine was read from.
        let release: @Sendable () -> Void
    }

    private let members = Mutex<[RecoveryRun.ID: Member]>([:])
    private let hypervisor: any Hypervisor
    private let logger: Logger

    package init(accelerator: AcceleratorChoice, surroundings: Surroundings, logger: Logger) {
        var settings = QEMUSettings()
        settings.accelerator = AcceleratorSetting(rawValue: accelerator.rawValue) ?? .auto
        hypervisor = QEMUHypervisor(settings, surroundings: surroundings, log: logger)
        self.logger = logger
    }

    package func isRunning(_ run: RecoveryRun.ID) -> Bool {
        guard let member = members.withLock({ $0[run] }), let state = try? member.machine.state() else { return false }
        if case .ended = state { return false }
        return true
    }

    /// Starts the machine from the disk at once, without copying it first. It runs until it is stopped; then `release`
    /// is called.
    func start(
        _ work: RecoverWork, from disk: DiskReader, in folder: String, release: @escaping @Sendable () -> Void
    ) throws(Failure) -> any RunningMachine {
        let socket = "\(folder)/disk.sock"
        let export = NBDExport(
            name: "system", description: "the disk of \(work.desktop)",
            source: CachingBlockSource(SnapshotBlockSource(disk)))
        let server = try NBDServer(path: socket, exports: [export]) { [logger] problem in
            logger.error("The disk of a machine cannot be read", metadata: ["run": "\(work.run)", "why": "\(problem)"])
        }
        do throws(Failure) {
            let definition = MachineDefinition(
                name: work.desktop.text, memoryMiB: work.machine.memoryMiB, processors: work.machine.processors,
                firmware: work.machine.firmware == .uefi ? .uefi : .bios,
                disks: [MachineDisk(name: "system", backing: .blockServer(socket: socket, export: export.name))],
                network: .isolated(probePort: (work.probe.port ?? work.machine.ports.first).map { UInt16($0) }))
            let machine = try hypervisor.start(try hypervisor.define(definition, in: folder))
            members.withLock { $0[work.run] = Member(machine: machine, server: server, release: release) }
            return machine
        } catch {
            server.stop()
            throw error
        }
    }

    /// Stops the machine and removes its folder with all it wrote. Done already when there is none.
    func stop(_ run: RecoveryRun.ID, folder: String, grace: Duration) throws(Failure) {
        if let member = members.withLock({ $0.removeValue(forKey: run) }) { try end(run, member, grace: grace) }
        try Folder.remove(folder)
    }

    /// When the agent ends. What the machines wrote stays in their folders.
    package func stopAll() {
        let all = members.withLock { members in
            defer { members = [:] }
            return members
        }
        for (run, member) in all {
            do throws(Failure) { try end(run, member, grace: .seconds(3)) } catch {
                logger.error("A machine did not stop", metadata: ["run": "\(run)", "why": "\(error)"])
            }
        }
    }

    private func end(_ run: RecoveryRun.ID, _ member: Member, grace: Duration) throws(Failure) {
        let report = try member.machine.stop(grace: grace)
        member.server.stop()
        member.release()
        logger.info(
            "Stopped the machine of a recovery run",
            metadata: ["run": "\(run)", "manner": "\(report.manner.rawValue)"])
    }
}
