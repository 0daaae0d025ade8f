import Foundation
import Hypervisor
import Logging
import Platform
import Support
import Testing

/// Real machines, one after another. Without QEMU these fail: a silent skip would prove nothing.
@Suite(.serialized) struct QEMUTests {
    private let turn = MachineTurn()
    private let ready: [Probe] = [
        .serialLine(containing: "DESKTOP-READY host=harbour-desk-01"), .serialMatch(pattern: "boot=[0-9]+ files=189"),
        .tcp(answerContaining: "DESKTOP-READY"), .guestAgent,
    ]

    private func definition(_ name: String, firmware: MachineDefinition.Firmware = .bios) throws -> MachineDefinition {
        MachineDefinition(
            name: name, firmware: firmware,
            disks: [MachineDisk(name: "disk0", backing: .rawImage(path: try DesktopFixture.path()))],
            network: .isolated(probePort: 7777))
    }

    private func hypervisor(_ change: (inout QEMUSettings) -> Void = { _ in }, host: AcceleratorHost? = nil)
        -> QEMUHypervisor
    {
        var settings = QEMUSettings()
        settings.accelerator = .tcg
        change(&settings)
        return QEMUHypervisor(
            settings, host: host, surroundings: .system, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func `a desktop boots, proves itself, shows its screen and shuts down when asked`() throws {
        let directory = try TemporaryDirectory("qemu")
        let hypervisor = hypervisor()
        let machine = try hypervisor.define(try definition("desk-01"), in: directory.path)
        let running = try hypervisor.start(machine)
        let results = try running.waitUntilReady(ready, within: .seconds(60))
        print("boot from a file:", results.map { "\($0.probe) \($0.milliseconds) ms" }.joined(separator: ", "))
        #expect(results.map(\.probe) == ready)
        #expect(results[0].evidence == "DESKTOP-READY host=harbour-desk-01 boot=1 files=189")
        #expect(results[3].evidence.hasPrefix("qemu-ga 7."))
        #expect(try running.state() == .running)
        #expect(running.accelerator.accelerator == .tcg)
        let screen = try running.screenshot()
        #expect(screen.count > 1000)
        #expect(try running.stop(grace: .seconds(30)).manner == .shutDown)
        #expect(try running.stop(grace: .seconds(30)).manner == .alreadyEnded)
        guard case .ended = try running.state() else {
            Issue.record("it still runs")
            return
        }

        // The overlay kept what the guest wrote: the second boot counts on.
        let again = try hypervisor.start(machine)
        let second = try again.waitUntilReady([.serialLine(containing: "boot=2 ")], within: .seconds(60))
        #expect(second.count == 1)
        #expect(try again.stop(grace: .zero).manner == .quit)
        hypervisor.remove(machine)
        #expect(!FileManager.default.fileExists(atPath: machine.folder))
    }

    @Test func `it boots by UEFI too`() throws {
        let directory = try TemporaryDirectory("qemu")
        let hypervisor = hypervisor()
        let running = try hypervisor.start(
            try hypervisor.define(try definition("desk-efi", firmware: .uefi), in: directory.path))
        let results = try running.waitUntilReady([ready[0], .guestAgent], within: .seconds(120))
        print("boot by UEFI:", results.map { "\($0.milliseconds) ms" })
        #expect(try running.stop(grace: .zero).manner == .quit)
    }

    @Test func `KVM that does not carry the guest gives way to TCG`() throws {
        let directory = try TemporaryDirectory("qemu")
        let hypervisor = hypervisor(
            {
                $0.accelerator = .auto
                $0.canary = .milliseconds(500)
            }, host: AcceleratorHost(hasModule: true, hasDevice: true))
        let running = try hypervisor.start(try hypervisor.define(try definition("desk-kvm"), in: directory.path))
        let results = try running.waitUntilReady(ready, within: .seconds(60))
        #expect(results.count == ready.count)
        // On a host with real KVM half a second is too short for it as well.
        #expect(running.accelerator.accelerator == .tcg)
        #expect(running.accelerator.reason.hasPrefix("kvm failed: "))
        print("accelerator:", running.accelerator.reason)
        #expect(try running.stop(grace: .zero).manner == .quit)
    }

    @Test func `a machine that never gets ready is reported with what it last said`() throws {
        let directory = try TemporaryDirectory("qemu")
        let hypervisor = hypervisor()
        let running = try hypervisor.start(try hypervisor.define(try definition("desk-mute"), in: directory.path))
        do {
            _ = try running.waitUntilReady([.serialLine(containing: "no such line")], within: .seconds(1))
            Issue.record("it was ready")
        } catch {
            #expect(error.code == .unreachable && error.what.contains("0 of 1 probes"))
        }
        #expect(try running.stop(grace: .zero).manner == .quit)
    }

    @Test func `stopping ends whoever waits`() throws {
        let directory = try TemporaryDirectory("qemu")
        let hypervisor = hypervisor()
        let running = try hypervisor.start(try hypervisor.define(try definition("desk-stop"), in: directory.path))
        let waiter = EngineThread(name: "waiter") {
            do {
                _ = try running.waitUntilReady([.serialLine(containing: "no such line")], within: .seconds(120))
                Issue.record("it was ready")
            } catch {
                let code = (error as? Failure)?.code
                #expect(code == .cancelled || code == .failed)
            }
        }
        _ = try running.stop(grace: .zero)
        waiter.join()
    }

    @Test func `a machine whose last owner lets go is not left running`() throws {
        let directory = try TemporaryDirectory("qemu")
        let hypervisor = hypervisor()
        var running: (any RunningMachine)? = try hypervisor.start(
            try hypervisor.define(try definition("desk-lost"), in: directory.path))
        let monitor = directory("desk-lost") + "/monitor.sock"
        #expect(running != nil)
        _ = try StreamSocket.connect(unix: monitor)
        running = nil
        #expect(throws: Failure(.unreachable, "")) { try StreamSocket.connect(unix: monitor) }
    }

    @Test func `what cannot run says why and leaves nothing`() throws {
        let directory = try TemporaryDirectory("qemu")
        #expect(throws: Failure(.exists, "")) {
            let hypervisor = hypervisor()
            _ = try hypervisor.define(try definition("twice"), in: directory.path)
            _ = try hypervisor.define(try definition("twice"), in: directory.path)
        }
        var missing = try definition("missing")
        missing.disks[0].backing = .rawImage(path: "/no/such/image")
        #expect(throws: Failure(.failed, "")) { try hypervisor().define(missing, in: directory.path) }
        missing.disks[0].backing = .blockServer(socket: "/no/such/socket", export: "x")
        #expect(throws: Failure(.failed, "")) { try hypervisor().define(missing, in: directory.path) }
        #expect(!FileManager.default.fileExists(atPath: directory("missing")))

        var large = try definition("large")
        large.memoryMiB = 4 << 20
        do {
            let hypervisor = hypervisor()
            _ = try hypervisor.start(try hypervisor.define(large, in: directory.path))
            Issue.record("4 TiB of memory were given")
        } catch {
            #expect(error.code == .failed)
            #expect(error.advice.contains("QEMU says"))
        }
    }
}
