internal import Platform

/// The command line of one machine: a pure function of its definition, so that it can be read and tested.
///
/// QEMU runs inside the machine's folder and knows its files by short relative names: user-given paths appear in JSON
/// only, never in QEMU's comma-separated option language.
package struct QEMUCommandLine {
    static let monitor = "monitor.sock"
    static let agent = "agent.sock"
    static let serialLog = "serial.log"
    static let screen = "screen.png"
    static let log = "qemu.log"
    static let variables = "uefi-variables.fd"

    package var machine: DefinedMachine
    package var accelerator: Accelerator
    /// The read-only half of the UEFI firmware.
    package var firmwareCode: String

    package init(machine: DefinedMachine, accelerator: Accelerator, firmwareCode: String) {
        self.machine = machine
        self.accelerator = accelerator
        self.firmwareCode = firmwareCode
    }

    static func overlay(_ disk: MachineDisk) -> String { "\(disk.name).qcow2" }
    /// A short way to the socket of a block server that may lie deep.
    static func socketLink(_ disk: MachineDisk) -> String { "\(disk.name).sock" }

    package var arguments: [String] {
        let definition = machine.definition
        var words = [
            "-name", definition.name, "-nodefaults", "-no-user-config",
            // The guest is hostile: what breaks out of it finds no fork, no exec, no other user.
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-S",
            "-M", definition.firmware == .uefi ? "q35" : "pc", "-accel", accelerator.rawValue,
            "-m", String(definition.memoryMiB), "-smp", String(definition.processors),
            "-vga", "std", "-display", "none",
            "-qmp", "unix:\(Self.monitor),server=on,wait=off",
            "-chardev", "file,id=serial,path=\(Self.serialLog),append=on", "-serial", "chardev:serial",
            "-device", "virtio-serial-pci", "-chardev", "socket,id=agent,path=\(Self.agent),server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        ]
        if accelerator == .kvm { words += ["-cpu", "host"] }
        if definition.firmware == .uefi {
            words += blockdev([
                "driver": "raw", "node-name": "firmware-code", "read-only": true,
                "file": ["driver": "file", "filename": .string(firmwareCode)],
            ])
            words += blockdev([
                "driver": "raw", "node-name": "firmware-variables",
                "file": ["driver": "file", "filename": .string(Self.variables)],
            ])
            words += ["-machine", "pflash0=firmware-code,pflash1=firmware-variables"]
        }
        for (index, disk) in definition.disks.enumerated() { words += self.disk(disk, boot: index + 1) }
        words += network
        return words
    }

    /// Node names are stable, so that later commands (hydration, changed blocks) know what to call them.
    private func disk(_ disk: MachineDisk, boot: Int) -> [String] {
        blockdev(source(disk))
            + blockdev([
                "driver": "raw", "node-name": .string("\(disk.name)-base"), "read-only": true,
                "file": .string("\(disk.name)-source"),
            ])
            + blockdev([
                "driver": "file", "node-name": .string("\(disk.name)-file"), "filename": .string(Self.overlay(disk)),
                "discard": "unmap",
            ])
            + blockdev([
                "driver": "qcow2", "node-name": .string(disk.name), "file": .string("\(disk.name)-file"),
                "backing": .string("\(disk.name)-base"), "discard": "unmap",
            ])
            + [
                "-device",
                "virtio-blk-pci,id=\(disk.name)-device,drive=\(disk.name),bootindex=\(boot),rerror=stop,werror=stop",
            ]
    }

    private func source(_ disk: MachineDisk) -> [String: JSONValue] {
        let name = JSONValue.string("\(disk.name)-source")
        return switch disk.backing {
        case .blockServer(_, let export):
            [
                "driver": "nbd", "node-name": name, "read-only": true, "export": .string(export),
                "server": ["type": "unix", "path": .string(Self.socketLink(disk))],
                // A block server that restarts within a minute only makes the guest wait.
                "reconnect-delay": 60,
            ]
        case .rawImage(let path):
            ["driver": "file", "node-name": name, "read-only": true, "filename": .string(path)]
        }
    }

    private var network: [String] {
        guard case .isolated(let probePort) = machine.definition.network else { return [] }
        // Port 0: the kernel chooses one that is free; the monitor tells which.
        let forward = probePort.map { ",hostfwd=tcp:127.0.0.1:0-:\($0)" } ?? ""
        return [
            "-netdev", "user,id=network,restrict=on\(forward)", "-device", "virtio-net-pci,netdev=network,romfile=",
        ]
    }

    private func blockdev(_ members: [String: JSONValue]) -> [String] { ["-blockdev", JSONValue.object(members).text] }
}
