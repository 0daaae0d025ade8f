import Foundation
import Glibc
import Platform
import Support
import Testing

/// The commands that look into snapshots, as a person runs them.
@Suite struct ReadingCommandTests {
    private func estate() throws -> Toolbox {
        let box = try Toolbox("reading")
        try box.repository("init")
        try box.write("one", "source/reports/first.txt")
        try box.write("two", "source/reports/港口.txt")
        try box.repository("backup", ["--name", "desk", box("source")])
        try box.write("another one", "source/reports/first.txt")
        try box.write("three", "source/letters/third.txt")
        try box.repository("backup", ["--name", "desk", box("source")])
        return box
    }

    private func snapshots(_ box: Toolbox, named name: String = "desk") throws -> [String] {
        try box.repository("snapshots").objects.filter { $0["name"] as? String == name }.compactMap {
            $0["id"] as? String
        }
    }

    @Test func findNamesEveryPlaceAndSaysWhenThereIsNone() throws {
        let box = try estate()
        let ids = try snapshots(box)
        let all = try box.repository("find", ["*.txt"]).objects
        #expect(all.count == 5)
        #expect(all.filter { $0["snapshot"] as? String == ids[0] }.count == 2)
        let first = try box.repository("find", ["first.*", "--snapshot", String(ids[1].prefix(10))]).objects
        #expect(first.map { $0["path"] as? String } == [box("source/reports/first.txt")])
        #expect(first.map { $0["size"] as? Int } == [11])
        #expect(first[0]["modified"] != nil)
        #expect(try box.repository("find", ["港?.txt", "--name", "desk"]).objects.count == 2)
        try box.repository("find", ["nothing*"], exits: 4)
        try box.repository("find", ["*", "--name", "nobody"], exits: 4)
        try box.repository("find", ["a/b"], exits: 2)
    }

    @Test func diffTellsWhatChangedAndSums() throws {
        let box = try estate()
        let ids = try snapshots(box)
        let run = try box.repository("diff", ids)
        let changes = try run.objects.filter { $0["event"] as? String != "result" }
        let told = changes.map {
            "\($0["event"] as? String ?? "") \(($0["path"] as? String ?? "").dropFirst(box("source").count))"
        }
        #expect(told.contains("added /letters/third.txt"))
        #expect(told.contains("changed /reports/first.txt"))
        #expect(!told.contains { $0.hasSuffix("港口.txt") })
        #expect(try run.result["added"] as? Int == 2)
        #expect(try run.result["bytesAdded"] as? Int == 5)
        #expect(try run.result["changedContent"] as? Int == 1)
        let below = try box.repository("diff", ids + [box("source/letters")])
        #expect(try below.result["changedContent"] as? Int == 0)
        try box.repository("diff", ids + ["/no/such/place"], exits: 4)
    }

    @Test func anArchiveGoesToAFileOrAPipeButNotToATerminal() throws {
        let box = try estate()
        let result = try box.repository("export", ["latest:desk", "--tar", box("out.tar")]).result
        #expect(result["files"] as? Int == 3)
        try box.repository("export", ["latest:desk", "--tar", box("out.tar")], exits: 3)
        let piped = try box.repository("export", ["latest:desk", "--tar", "-", "--json"])
        #expect(Array(piped.output.utf8) == (try box.bytes(of: "out.tar")))
        // A failure is no part of the archive either.
        let failed = try box.repository("export", ["latest:nobody", "--tar", "-", "--json"], exits: 4)
        #expect(failed.output.isEmpty)
        try box.makeDirectory("extracted")
        _ = try ChildProcess.run(
            "tar", ["--xattrs", "--acls", "-x", "-f", box("out.tar"), "-C", box("extracted")],
            scratch: box.directory.path, limit: .seconds(60))
        #expect(try box.differences("source", "extracted") == [])

        // A terminal of our own: TIOCSPTLCK, TIOCGPTN.
        let terminal = try Descriptor.open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (lock, number): (Int32, Int32) = (0, -1)
        try #require(
            ioctl(terminal.number, 0x4004_5431, &lock) == 0 && ioctl(terminal.number, 0x8004_5430, &number) == 0)
        let child = try ChildProcess.start(
            ProcessLaunch(
                Toolbox.program, box.arguments("export", ["latest:desk", "--tar", "-"]),
                environment: ["BREAKWATER_STATE": box("state")], output: .file("/dev/pts/\(number)")))
        #expect(try child.wait(until: .after(.seconds(60))) == .code(3))
    }

    /// Bytes that are no text are given beside the text that stands for them: of names, and of what links say.
    @Test func whatIsNoTextIsGivenInBytes() throws {
        let box = try Toolbox("reading")
        try box.repository("init")
        try box.makeDirectory("source")
        let bytes: [UInt8] = [0x61, 0xFF, 0x62]
        #expect(symlink(bytes.map { CChar(bitPattern: $0) } + [0], box("source/link")) == 0)
        #expect(symlink("plain", box("source/other")) == 0)
        try box.repository("backup", ["--name", "desk", box("source")])
        let listed = try box.repository("list", ["latest:desk", box("source")]).objects
        let links = listed.filter { $0["target"] != nil }
        #expect(links.map { $0["targetBytes"] as? String } == ["61ff62", nil])
        #expect(links.map { $0["target"] as? String } == ["a\u{FFFD}b", "plain"])
    }

    /// With `--json` every line of standard error is an object, too.
    @Test func warningsAmongJSONAreObjects() throws {
        let box = try estate()
        try box.write("x", "vault/stranger")
        func lines(_ run: Toolbox.Run) throws -> [[String: Any]] {
            try run.errors.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\($0)")
            }
        }
        let warned = try lines(try box.repository("check", ["--json"]))
        #expect(warned.map { $0["event"] as? String } == ["warning"])
        #expect((warned.first?["what"] as? String)?.contains("stranger") == true)
        let failed = try lines(try box.repository("restore", ["nobody", "--target", box("t"), "--json"], exits: 4))
        #expect(failed.last?["event"] as? String == "error" && failed.last?["exit"] as? Int == 4)
        #expect(try box.repository("check").errors.contains("breakwater: warning: stranger"))
    }

    /// The first bytes say nothing of how long the rest takes.
    @Test func nothingIsGuessedOfWhatHasJustBegun() throws {
        let box = try Toolbox("reading")
        try box.repository("init")
        var seed = Seed(31)
        for number in 0..<8 { try box.write(seed.bytes(4 << 20), "source/\(number)") }
        try box.repository("backup", ["--name", "desk", box("source")])
        // A terminal of our own, as below.
        let terminal = try Descriptor.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
        var (lock, number): (Int32, Int32) = (0, -1)
        try #require(
            ioctl(terminal.number, 0x4004_5431, &lock) == 0 && ioctl(terminal.number, 0x8004_5430, &number) == 0)
        let child = try ChildProcess.start(
            ProcessLaunch(
                Toolbox.program, box.arguments("restore", ["latest:desk", "--target", box("target")]),
                environment: ["BREAKWATER_STATE": box("state")], errors: .file("/dev/pts/\(number)")))
        #expect(try child.wait(until: .after(.seconds(60))) == .code(0))
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(terminal.number, &buffer, buffer.count)
        let drawn = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        #expect(drawn.contains("restoring") && !drawn.contains("left"), "\(drawn)")
    }

    @Test func aPlaceThatHoldsSomethingWantsUpdate() throws {
        let box = try estate()
        try box.repository("restore", ["latest:desk", "--target", box("target")])
        let again = try box.repository("restore", ["latest:desk", "--target", box("target")], exits: 3)
        #expect(again.errors.contains("--update"))
        try box.repository("restore", ["latest:desk", "--target", box("target"), "--update"])
    }

    @Test(arguments: [0, 3_000_000, 700_000_000])
    func aDiskIsExportedAsQEMUReadsIt(size: Int) throws {
        let box = try Toolbox("reading")
        try box.repository("init")
        var seed = Seed(UInt64(size))
        let file = try Descriptor.open(box("disk.raw"), O_WRONLY | O_CREAT)
        for _ in 0..<(size / 1_000_000) {
            let bytes = seed.bytes(1 + seed.below(9000))
            let offset = UInt64(seed.below(size - bytes.count))
            try bytes.withUnsafeBytes { try file.write($0, at: offset) }
        }
        // QEMU counts in sectors.
        try file.truncate(to: UInt64(size) / 512 * 512)
        try file.close()
        try box.repository("backup", ["--name", "machine", "--disk", box("disk.raw")])
        try box.repository("export", ["latest:machine", "--disk", box("out.raw")])
        try box.repository("export", ["latest:machine", "--disk", box("out.qcow2"), "--format", "qcow2"])
        func image(_ arguments: [String]) throws -> String {
            String(
                decoding: try ChildProcess.run(
                    "qemu-img", arguments, scratch: box.directory.path, limit: .seconds(120)), as: UTF8.self)
        }
        #expect(try image(["check", "-f", "qcow2", box("out.qcow2")]).contains("No errors were found"))
        #expect(
            try image(["compare", "-f", "qcow2", "-F", "raw", box("out.qcow2"), box("disk.raw")])
                .contains("identical") || size == 0)
        #expect(
            try image(["compare", "-f", "raw", "-F", "raw", box("out.raw"), box("disk.raw")]).contains("identical"))
        // Zeros take no room.
        var raw = stat()
        try #require(stat(box("out.qcow2"), &raw) == 0)
        #expect(raw.st_size < 3 * 65536 * max(size / 1_000_000, 2) + 8 * 65536)
    }

    @Test func aMountIsReadAndLeavesNothingHoweverItEnds() throws {
        let obstacle = FuseChannel.obstacle
        try #require(obstacle == nil, "THIS MACHINE HAS NO FUSE, so that mounts cannot be tested: \(obstacle ?? "")")
        let box = try estate()
        try box.makeDirectory("mount")
        func mounted() throws -> Toolbox.Started {
            let started = try box.start(box.arguments("mount", [box("mount"), "--snapshot", "latest:desk"]))
            let deadline = Deadline.after(.seconds(60))
            while !isMounted(box("mount")), !deadline.hasPassed { sched_yield() }
            return started
        }
        let first = try mounted()
        #expect(try TreeComparison.differences(box("source"), box("mount") + box("source")) == [])
        first.child.terminate()
        #expect(try box.finish(first).exit == .code(0))
        #expect(!isMounted(box("mount")))

        // Killed outright, it cannot clean up: its guard does, whatever the kernel still knows of what was mounted.
        let second = try mounted()
        #expect(try TreeComparison.differences(box("source"), box("mount") + box("source")) == [])
        second.child.kill()
        #expect(try box.finish(second).exit == .signal(SIGKILL))
        let deadline = Deadline.after(.seconds(60))
        while isMounted(box("mount")), !deadline.hasPassed { sched_yield() }
        #expect(!isMounted(box("mount")))
    }

    private func isMounted(_ path: String) -> Bool {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        return mounts.split(separator: "\n").contains { $0.contains(" \(path) ") }
    }
}
