internal import Glibc
package import Logging
package import Platform

/// Machines as QEMU processes of our own, driven over QMP.
///
/// 1. `define` makes the machine's folder and one qcow2 overlay a disk, backed by the block server or image.
/// 2. `start` tries the accelerators in turn: process, monitor, `cont`. KVM that fails here gives way to TCG.
/// 3. `waitUntilReady` probes; KVM that stops with an internal error, or shows no sign of life in time, gives way too.
/// 4. `stop` asks the guest, then QEMU, then the kernel. The process dies with ours in any case.
package final class QEMUHypervisor: Hypervisor {
    private let settings: QEMUSettings
    private let host: AcceleratorHost
    private let surroundings: Surroundings
    private let log: Logger

    package init(
        _ settings: QEMUSettings, host: AcceleratorHost? = nil, surroundings: Surroundings, log: Logger
    ) {
        self.settings = settings
        self.host = host ?? Self.thisHost
        self.surroundings = surroundings
        self.log = log
    }

    private static var thisHost: AcceleratorHost {
        unsafe AcceleratorHost(
            hasModule: access("/sys/module/kvm_intel", F_OK) == 0 || access("/sys/module/kvm_amd", F_OK) == 0,
            hasDevice: access("/dev/kvm", R_OK | W_OK) == 0)
    }

    // MARK: - Define

    package func define(_ definition: MachineDefinition, in folder: String) throws(Failure) -> DefinedMachine {
        try definition.check()
        guard folder.hasPrefix("/") else { throw Failure(.usage, "\(folder) is no absolute path") }
        let machine = DefinedMachine(definition: definition, folder: "\(folder)/\(definition.name)")
        if unsafe mkdir(machine.folder, 0o700) != 0 { throw .system(errno, "cannot make \(machine.folder)") }
        do throws(Failure) {
            for disk in definition.disks { try makeOverlay(disk, in: machine.folder) }
            if definition.firmware == .uefi { try copyVariables(to: machine.folder) }
        } catch {
            remove(machine)
            throw error.during("The machine \(definition.name) cannot be laid out")
        }
        return machine
    }

    private func makeOverlay(_ disk: MachineDisk, in folder: String) throws(Failure) {
        let backing: String
        switch disk.backing {
        case .blockServer(let socket, let export):
            guard socket.hasPrefix("/") else { throw Failure(.usage, "\(socket) is no absolute path") }
            let link = "\(folder)/\(QEMUCommandLine.socketLink(disk))"
            if unsafe symlink(socket, link) != 0 { throw .system(errno, "cannot make \(link)") }
            backing = Self.address(
                export: export, socket: socket.utf8.count > 100 ? QEMUCommandLine.socketLink(disk) : socket)
        case .rawImage(let path):
            guard path.hasPrefix("/") else { throw Failure(.usage, "\(path) is no absolute path") }
            backing = "file:\(path)"
        }
        let arguments = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", backing, QEMUCommandLine.overlay(disk)]
        _ = try ChildProcess.run(
            settings.imageTool, arguments, directory: folder, scratch: folder, limit: .seconds(60))
    }

    /// What the overlay says about its backing; QEMU itself is given the node, so this is for people and other tools.
    package static func address(export: String, socket: String) -> String {
        func escaped(_ text: String, keeping: String) -> String {
            text.utf8.map { byte in
                let character = Character(Unicode.Scalar(byte))
                let plain = byte < 0x80 && (character.isLetter || character.isNumber || keeping.contains(character))
                return plain
                    ? String(character) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }.joined()
        }
        return "nbd+unix:///\(escaped(export, keeping: "-._~"))?socket=\(escaped(socket, keeping: "-._~/"))"
    }

    private func copyVariables(to folder: String) throws(Failure) {
        let source = try Descriptor.open(settings.firmwareVariables, O_RDONLY)
        let target = try Descriptor.open("\(folder)/\(QEMUCommandLine.variables)", O_WRONLY | O_CREAT | O_EXCL)
        while true {
            let bytes = try source.readSome(limit: 1 << 20)
            if bytes.isEmpty { break }
            try target.write(bytes)
        }
        try target.close()
    }

    /// Removes what `define` and a run left. The machine must not be running.
    package func remove(_ machine: DefinedMachine) {
        guard let directory = unsafe opendir(machine.folder) else { return }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            unsafe unlink("\(machine.folder)/\(name)")
        }
        unsafe closedir(directory)
        unsafe rmdir(machine.folder)
    }

    // MARK: - Start

    package func start(_ machine: DefinedMachine) throws(Failure) -> any RunningMachine {
        try machine.definition.check()
        let launcher = QEMULauncher(machine: machine, settings: settings, surroundings: surroundings, log: log)
        return try QEMUMachine(launcher: launcher, candidates: host.candidates(for: settings.accelerator))
    }
}
