import Glibc
import Hypervisor
import Platform
import Support
import Testing

@Suite struct DefinitionTests {
    private func definition(_ name: String = "desk-01") -> MachineDefinition {
        MachineDefinition(
            name: name,
            disks: [MachineDisk(name: "disk0", backing: .blockServer(socket: "/run/b,s.sock", export: "x y"))],
            network: .isolated(probePort: 7777))
    }

    @Test(arguments: ["", ".", "..", "a/b", "a,b", "-a", "a b", "桌面", String(repeating: "a", count: 65)])
    func `a name that could mean something elsewhere is refused`(name: String) {
        #expect(throws: Failure(.usage, "")) { try definition(name).check() }
        var disk = definition()
        disk.disks[0].name = name
        #expect(throws: Failure(.usage, "")) { try disk.check() }
    }

    @Test func `sizes that make no sense are refused`() {
        for change: (inout MachineDefinition) -> Void in [
            { $0.memoryMiB = 0 }, { $0.memoryMiB = -1 }, { $0.processors = 0 }, { $0.processors = 4096 },
            { $0.disks = [] },
            { $0.disks += $0.disks },
        ] {
            var bad = definition()
            change(&bad)
            #expect(throws: Failure(.usage, "")) { try bad.check() }
        }
    }

    @Test func `paths stay out of QEMU's option language`() {
        let line = QEMUCommandLine(
            machine: DefinedMachine(definition: definition(), folder: "/state/desk,-01"), accelerator: .tcg,
            firmwareCode: "/code.fd"
        ).arguments
        #expect(!line.contains { !$0.hasPrefix("{") && $0.contains("desk,") })
        #expect(!line.contains { $0.contains("b,s.sock") })
        #expect(line.contains { $0.contains(#""export":"x y""#) && $0.contains(#""reconnect-delay":60"#) })
        #expect(line.contains { $0.contains("rerror=stop,werror=stop") })
        #expect(line.contains { $0.contains("restrict=on,hostfwd=tcp:127.0.0.1:0-:7777") })
    }

    @Test func `no network means no network card`() {
        var lonely = definition()
        lonely.network = .none
        let line = QEMUCommandLine(
            machine: DefinedMachine(definition: lonely, folder: "/f"), accelerator: .kvm, firmwareCode: ""
        ).arguments
        #expect(!line.contains { $0.contains("netdev") })
        #expect(line.contains("host"))
    }

    @Test func `a block server's address escapes what an address may not hold`() {
        #expect(
            QEMUHypervisor.address(export: "桌 1", socket: "/run/a&b?c.sock")
                == "nbd+unix:///%E6%A1%8C%201?socket=/run/a%26b%3Fc.sock")
    }

    @Test func `the port is read from what the monitor prints`() {
        let text = """
            Hub -1 (network):\r
              Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
              TCP[HOST_FORWARD]   8       127.0.0.1 44659       10.0.2.15  7777     0     0\r

            """
        #expect(QEMULauncher.forwardedPort(in: text) == 44659)
        #expect(QEMULauncher.forwardedPort(in: "TCP[HOST_FORWARD] 8 127.0.0.1 99999 x") == nil)
        #expect(QEMULauncher.forwardedPort(in: "") == nil)
    }

    @Test func `KVM is tried only where it is real, and never alone on auto`() {
        func tried(_ setting: AcceleratorSetting, module: Bool, device: Bool) -> [Accelerator] {
            AcceleratorHost(hasModule: module, hasDevice: device).candidates(for: setting).map(\.accelerator)
        }
        #expect(tried(.auto, module: false, device: true) == [.tcg])
        #expect(tried(.auto, module: true, device: false) == [.tcg])
        #expect(tried(.auto, module: true, device: true) == [.kvm, .tcg])
        #expect(tried(.kvm, module: false, device: false) == [.kvm])
        #expect(tried(.tcg, module: true, device: true) == [.tcg])
    }

    @Test func `a serial port without end stays bounded and harmless`() throws {
        let directory = try TemporaryDirectory("serial")
        let file = try Descriptor.open(directory("serial.log"), O_WRONLY | O_CREAT | O_APPEND)
        let log = SerialLog(path: directory("serial.log"))
        try file.write(Array("first\r\n\u{1b}[31mDESKTOP-READY\u{7}\nlogin: ".utf8))
        try log.readOn()
        #expect(log.lines == ["first", "[31mDESKTOP-READY", "login: "])

        let flood = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<20 {
            try file.write(flood)
            try log.readOn()
        }
        #expect(try file.size() < 17 << 20)
        #expect(log.lines.allSatisfy { $0.utf8.count <= 4096 } && log.lines.count <= 2001)
        try file.write(Array("\nafterwards\n".utf8))
        try log.readOn()
        #expect(log.lines.last == "afterwards")
    }
}
