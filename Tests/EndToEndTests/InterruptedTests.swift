import Foundation
import Glibc
import Platform
import Support
import Testing

/// Backups that are killed, told to stop, or run out of room: nothing half-visible, nothing lost, and the next one works.
@Suite(.serialized) struct InterruptedTests {
    /// A vault with one snapshot, and a source whose backup takes a while.
    private func made(_ label: String) throws -> Toolbox {
        let toolbox = try Toolbox(label)
        var seed = Seed(21)
        try toolbox.write(seed.bytes(300_000), "first/file")
        for number in 0..<4 { try toolbox.write(seed.bytes(24 << 20), "large/\(number)") }
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "first", toolbox("first")])
        return toolbox
    }

    private func expectSound(_ toolbox: Toolbox, snapshots: Int, at location: SourceLocation = #_sourceLocation) throws
    {
        try toolbox.repository("check", ["--read-data"], at: location)
        #expect(try toolbox.repository("snapshots").objects.count == snapshots, sourceLocation: location)
        let name = "target-" + Hex.encode(Surroundings.system.random(4))
        try toolbox.repository("restore", ["latest:first", "--target", toolbox(name)])
        #expect(try toolbox.differences("first", name) == [], sourceLocation: location)
    }

    /// Waits for the vault to come to a point, or for the program to end.
    private func wait(_ started: Toolbox.Started, until reached: () -> Bool) throws {
        let deadline = Deadline.after(.seconds(120))
        while !reached() {
            if try started.child.wait(until: .after(.milliseconds(1))) != nil { return }
            try #require(!deadline.hasPassed, "the backup came to nothing")
        }
    }

    @Test func fiveKilledBackupsLeaveASoundVault() throws {
        let toolbox = try made("killed")
        func count(_ folder: String) -> Int { toolbox.objects(folder).count }
        let (packs, records) = (count("packs"), count("log"))
        let points: [(String, (_ since: (packs: Int, log: Int)) -> Bool)] = [
            ("claimed", { count("log") > $0.log }),
            ("writing", { _ in count("tmp") > 0 }),
            ("one pack", { count("packs") > $0.packs }),
            ("two packs", { count("packs") > $0.packs + 1 }),
            ("four packs", { count("packs") > $0.packs + 3 }),
        ]
        #expect(packs > 0 && records > 1)
        for (name, isReached) in points {
            let before = (packs: count("packs"), log: count("log"))
            let started = try toolbox.start(toolbox.arguments("backup", ["--name", "large", toolbox("large")]))
            try wait(started) { isReached(before) }
            started.child.kill()
            let run = try toolbox.finish(started)
            #expect(run.exit == .signal(SIGKILL), "\(name): \(run.errors)")
            try expectSound(toolbox, snapshots: 1)
        }
        try toolbox.repository("backup", ["--name", "large", toolbox("large")])
        try expectSound(toolbox, snapshots: 2)
        try toolbox.repository("restore", ["latest:large", "--target", toolbox("large-target")])
        #expect(try toolbox.differences("large", "large-target") == [])
    }

    /// What they had under way is taken away by the next, and nothing else is.
    @Test func whatAKilledRestoreLeftIsTakenAwayByTheNext() throws {
        let toolbox = try made("killed-restore")
        try toolbox.write(toolbox.bytes(of: "large/0") + toolbox.bytes(of: "large/1"), "image")
        try toolbox.repository("backup", ["--name", "large", toolbox("large")])
        try toolbox.repository("backup", ["--name", "disk", "--disk", toolbox("image")])
        for place in ["images", "archives"] { try toolbox.makeDirectory(place) }
        let files = toolbox("target") + toolbox("large")
        for (verb, name, arguments, place) in [
            ("restore", "large", ["--target", toolbox("target"), "--update"], files),
            ("restore", "disk", ["--disk", toolbox("images/out")], toolbox("images")),
            ("export", "large", ["--tar", toolbox("archives/out")], toolbox("archives")),
        ] {
            func temporaries() -> [String] {
                ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).filter {
                    $0.hasPrefix(".breakwater-")
                }
            }
            let whole = toolbox.arguments(verb, ["latest:\(name)"] + arguments)
            let started = try toolbox.start(whole)
            try wait(started) { !temporaries().isEmpty }
            started.child.kill()
            #expect(try toolbox.finish(started).exit == .signal(SIGKILL))
            let left = temporaries()
            #expect(!left.isEmpty)
            let mine = place + "/.breakwater-0123456789abcdef"
            try Data([7]).write(to: URL(fileURLWithPath: mine))
            let next = try toolbox.run(whole)
            #expect(next.exit == .code(0), "\(next.errors)")
            #expect(try next.result["leftovers"] as? Int == left.count)
            #expect(temporaries().map { place + "/" + $0 } == [mine])
        }
        #expect(try toolbox.bytes(of: "images/out") == toolbox.bytes(of: "image"))
        try FileManager.default.removeItem(atPath: files + "/.breakwater-0123456789abcdef")
        #expect(try toolbox.differences("large", "target") == [])
    }

    @Test(arguments: [SIGINT, SIGTERM]) func aBackupThatIsToldToStopSaysSo(number: Int32) throws {
        let toolbox = try made("stopped")
        let before = toolbox.objects("packs").count
        let started = try toolbox.start(toolbox.arguments("backup", ["--name", "large", toolbox("large")]))
        try wait(started) { toolbox.objects("packs").count > before }
        #expect(kill(started.child.identifier, number) == 0)
        let run = try toolbox.finish(started)
        #expect(run.exit == .code(6))
        #expect(run.errors.contains("interrupted"))
        #expect(run.errors.contains("earlier snapshots are untouched"))
        #expect(try run.events("error").first?["code"] as? String == "cancelled")
        try expectSound(toolbox, snapshots: 1)
    }

    /// A command that waits for a pipe to which nobody writes ends with the second signal, or some time after the first.
    @Test(arguments: [true, false]) func whatHangsEndsAllTheSame(isToldTwice: Bool) throws {
        let toolbox = try Toolbox("hanging")
        try toolbox.repository("init")
        #expect(mkfifo(toolbox("pipe"), 0o600) == 0)
        let started = try toolbox.start([
            "repository", "restore", "--vault", toolbox("vault"), "--passphrase-file", toolbox("pipe"), "latest:desk",
            "--target", toolbox("target"),
        ])
        // It is in the call before it is told, and not still on its way.
        try #require(try started.child.wait(until: .after(.seconds(2))) == nil)
        #expect(kill(started.child.identifier, SIGTERM) == 0)
        try #require(try started.child.wait(until: .after(.seconds(2))) == nil)
        if isToldTwice { #expect(kill(started.child.identifier, SIGINT) == 0) }
        let run = try toolbox.finish(started, limit: .seconds(isToldTwice ? 10 : 60))
        #expect(run.exit == .code(128 + (isToldTwice ? SIGINT : SIGTERM)))
        #expect(run.errors.contains("what was committed before is untouched"))
    }

    @Test(.enabled(if: SmallDisk.canBeMade, "making a small disk needs root")) func aFullDiskIsRefusedCleanly() throws {
        let toolbox = try Toolbox("full")
        let disk = try SmallDisk(at: toolbox("vault"), megabytes: 48)
        var seed = Seed(22)
        try toolbox.write(seed.bytes(2_000_000), "first/file")
        try toolbox.write(seed.bytes(80 << 20), "large/file")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "first", toolbox("first")])
        let run = try toolbox.repository("backup", ["--name", "large", toolbox("large")], exits: 6)
        #expect(try run.events("error").first?["code"] as? String == "full")
        #expect(run.errors.contains("earlier snapshots are untouched"))
        try expectSound(toolbox, snapshots: 1)
        withExtendedLifetime(disk) {}
    }
}

/// A file system of a few MiB in memory.
final class SmallDisk {
    private let path: String

    /// Whether this process may mount one.
    static let canBeMade: Bool = {
        guard geteuid() == 0, let directory = try? TemporaryDirectory("small-disk") else { return false }
        return (try? SmallDisk(at: directory("disk"), megabytes: 1)) != nil
    }()

    init(at path: String, megabytes: Int) throws {
        self.path = path
        try Directory.make(at: Array(path.utf8))
        guard mount("breakwater-test", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw Failure.system(errno, "cannot mount a small disk at \(path)")
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }
}
