import BlockServer
import Foundation
import Hypervisor
import Logging
import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// The recovery of a desktop in small: its disk in a sealed repository, served block by block to a machine that boots
/// from it. Without QEMU and the fixture's packages these fail.
@Suite(.serialized) struct BootTests {
    private let turn = MachineTurn()
    private let directory: TemporaryDirectory
    private let image: String
    private let probes: [Probe] = [
        .serialLine(containing: "DESKTOP-READY host=harbour-desk-01 boot=1 files=189"),
        .tcp(answerContaining: "DESKTOP-READY"), .guestAgent,
    ]

    init() throws {
        directory = try TemporaryDirectory("boot")
        image = try DesktopFixture.path()
    }

    private var hypervisor: QEMUHypervisor {
        var settings = QEMUSettings()
        settings.accelerator = .tcg
        return QEMUHypervisor(
            settings, surroundings: .system, log: Logger(label: "boot") { _ in SwiftLogNoOpLogHandler() })
    }

    private func definition(_ name: String, _ server: NBDServer) -> MachineDefinition {
        MachineDefinition(
            name: name, disks: [MachineDisk(name: "disk0", backing: .blockServer(socket: server.path, export: "desk"))],
            network: .isolated(probePort: 7777))
    }

    private func server(_ source: any BlockSource) throws -> NBDServer {
        try NBDServer(path: directory("disk.sock"), exports: [NBDExport(name: "desk", source: source)])
    }

    @Test func `a desktop boots from its snapshot in a sealed repository, which stays as it was`() throws {
        let source = CachingBlockSource(SnapshotBlockSource(try backUp()))
        let server = try server(source)
        let hypervisor = hypervisor
        let begun = ContinuousClock.now
        let machine = try hypervisor.define(definition("desk-01", server), in: directory.path)
        let running = try hypervisor.start(machine)
        let results = try running.waitUntilReady(probes, within: .seconds(60))
        print("ready \(ContinuousClock.now - begun) after the declaration, by \(running.accelerator.accelerator):")
        for result in results { print("  \(result.milliseconds) ms  \(result.evidence)") }
        print("  \(source.counters)")
        #expect(results.count == probes.count)

        let screen = try running.screenshot()
        #expect(screen.count > 1000 && screen.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        // Half the desktop was never fetched, and nothing twice.
        #expect(source.counters.bytesFetched < source.size / 2)

        #expect(try running.stop(grace: .seconds(30)).manner == .shutDown)
        let compared = try ChildProcess.run(
            "qemu-img", ["compare", "-f", "raw", "-F", "raw", "nbd+unix:///desk?socket=\(server.path)", image],
            scratch: directory.path, limit: .seconds(60))
        #expect(String(decoding: compared, as: UTF8.self).contains("identical"))
        server.stop()
    }

    @Test func `a block server that is started again only makes the guest wait`() throws {
        let source = try FileBlockSource(path: image)
        let counted = CachingBlockSource(source)
        let first = try server(counted)
        let hypervisor = hypervisor
        let running = try hypervisor.start(try hypervisor.define(definition("desk-02", first), in: directory.path))
        let deadline = Deadline.after(.seconds(60))
        while counted.counters.bytesServed < 4 << 20, !deadline.hasPassed {}
        first.stop()
        let second = try server(source)
        #expect(try running.waitUntilReady(probes, within: .seconds(60)).count == probes.count)
        #expect(try running.stop(grace: .zero).manner == .quit)
        second.stop()
    }

    @Test func `a damaged block stops the machine, and mended it goes on where it was`() throws {
        let source = BreakableSource(try FileBlockSource(path: image))
        let server = try server(source)
        let hypervisor = hypervisor
        let running = try hypervisor.start(try hypervisor.define(definition("desk-03", server), in: directory.path))
        _ = try running.waitUntilReady([.serialLine(containing: "DESKTOP-READY")], within: .seconds(60))
        source.isBroken.access { $0 = true }
        // The guest is asked to read what it has not read yet.
        try tellGuest(running, toRun: "cat /data/home/alice/Pictures/* > /run/all")
        #expect(throws: Failure(.failed, "")) {
            try running.waitUntilReady([.serialLine(containing: "never printed")], within: .seconds(60))
        }
        #expect(try running.state() == .stoppedByDisk)

        source.isBroken.access { $0 = false }
        try running.resume()
        #expect(try running.waitUntilReady([.guestAgent], within: .seconds(60)).count == 1)
        #expect(try running.state() == .running)
        #expect(try running.stop(grace: .zero).manner == .quit)
        server.stop()
    }

    private func tellGuest(_ running: any RunningMachine, toRun command: String) throws {
        let socket = try StreamSocket.connect(unix: running.machine.folder + "/agent.sock")
        let agent = try GuestAgent(socket, mark: 5, by: .after(.seconds(20)))
        let arguments: [String: JSONValue] = ["path": "/bin/sh", "arg": ["-c", .string(command)]]
        try agent.perform("guest-exec", arguments, by: .after(.seconds(20)))
    }

    /// The fixture's disk in a fresh repository.
    private func backUp() throws -> DiskReader {
        let surroundings = Surroundings.system
        let store = StrictStore()
        let passphrase = Array("correct horse".utf8)
        let bundle = try KeyBundle.make(surroundings: surroundings)
        let slot = try Slot.wrap(bundle, passphrase: passphrase, cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot.bytes], site: try SigningKey(random: surroundings),
            surroundings: surroundings)
        let repository = try Repository.open(
            store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings, also: [])
        let session = try repository.beginBackup()
        let file = try FileBlockSource(path: image)
        var writer = try DiskWriter(session, size: file.size)
        for block in 0..<file.size / 65536 {
            let bytes = try file.bytes(block * 65536..<(block + 1) * 65536)
            if bytes.contains(where: { $0 != 0 }) { try bytes.withUnsafeBytes { try writer.put(block, $0) } }
        }
        let disk = try writer.finish()
        let snapshot = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 0), host: "",
                streams: [.init(label: "disk0", content: .disk(disk), bytes: file.size, files: 0)]))
        return DiskReader(try SnapshotReader(repository, snapshot), disk)
    }
}

/// A disk that can be made to fail, all of it.
private final class BreakableSource: BlockSource {
    let isBroken = Monitor(false)
    private let source: FileBlockSource

    init(_ source: FileBlockSource) { self.source = source }
    var size: UInt64 { source.size }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        if isBroken.access({ $0 }) { throw Failure(.damaged, "the test broke it") }
        try source.read(at: offset, into: target)
    }

    func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent] { try source.extents(in: range) }
}
