import Foundation
import Glibc
import Platform
import Support
import Testing

/// Disk images in and out, as a person runs it beside QEMU's own tools.
@Suite struct DiskImageTests {
    @discardableResult
    private func tool(_ box: Toolbox, _ program: String, _ arguments: String...) throws -> String {
        String(
            decoding: try ChildProcess.run(
                program, arguments, directory: box.directory.path, scratch: box.directory.path, limit: .seconds(120)),
            as: UTF8.self)
    }

    @Test func aQCOW2ImageIsBackedUpAsTheDiskInIt() throws {
        let box = try Toolbox("images")
        try box.repository("init")
        try tool(box, "qemu-img", "create", "-f", "raw", "base.raw", "20M")
        try tool(box, "qemu-io", "-f", "raw", "-c", "write -P 7 1M 3M", "base.raw")
        try tool(box, "qemu-img", "create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "disk.qcow2", "32M")
        try tool(box, "qemu-io", "-f", "qcow2", "-c", "write -P 9 2M 100k", "-c", "write -P 3 30M 512", "disk.qcow2")

        let refused = try box.repository("backup", ["--name", "desk", "--disk", box("disk.qcow2")], exits: 3)
        #expect(refused.errors.contains("base.raw"))
        #expect(try box.repository("snapshots").objects.isEmpty)
        let given = ["--disk", box("disk.qcow2"), "--backing", box("base.raw")]
        let result = try box.repository("backup", ["--name", "desk"] + given).result
        #expect(result["bytes"] as? Int == 32 << 20)
        #expect(try #require(result["bytesRead"] as? Int) < 4 << 20)
        for format in ["raw", "qcow2"] {
            try box.repository("export", ["latest:desk", "--disk", box("out." + format), "--format", format])
            #expect(
                try tool(box, "qemu-img", "compare", "-f", "qcow2", "-F", format, "disk.qcow2", "out." + format)
                    .contains("identical"))
        }
        try box.repository("backup", ["--name", "desk", "--backing", box("base.raw")] + given + given, exits: 2)

        // The other way about: the image itself, as the bytes it is.
        try box.repository("backup", ["--name", "file", "--disk", box("disk.qcow2"), "--disk-format", "raw"])
        try box.repository("restore", ["latest:file", "--disk", box("same")])
        #expect(try box.bytes(of: "same") == box.bytes(of: "disk.qcow2"))
        try #require(rename(box("disk.qcow2"), box("disk.img")) == 0)
        try box.repository("backup", ["--name", "desk", "--disk", box("disk.img")], exits: 3)
        try #require(truncate(box("disk.img"), 200_000) == 0)
        let cut = ["--disk", box("disk.img"), "--disk-format", "qcow2", "--backing", box("base.raw")]
        try box.repository("backup", ["--name", "desk"] + cut, exits: 6)
        #expect(try box.repository("snapshots").objects.count == 2)
    }

    /// A map of QEMU's own: a bitmap in the image, told over NBD.
    private func writeMap(_ box: Toolbox) throws {
        let server = try ChildProcess.start(
            ProcessLaunch(
                "qemu-nbd", ["-f", "qcow2", "-r", "-k", box("nbd"), "-B", "changes", box("disk.qcow2")],
                environment: [:], output: .file(box("nbd.out")), errors: .file(box("nbd.err"))))
        defer { server.kill() }
        let deadline = Deadline.after(.seconds(60))
        while access(box("nbd"), F_OK) != 0, !deadline.hasPassed { sched_yield() }
        let map = try tool(
            box, "nbdinfo", "--json", "--map=qemu:dirty-bitmap:changes", "nbd+unix:///?socket=\(box("nbd"))")
        try box.write(map, "map")
        _ = try server.wait(until: .after(.seconds(60)))
    }

    @Test func aSecondBackupReadsWhatQEMUSaysHasChanged() throws {
        let box = try Toolbox("images")
        try box.repository("init")
        try tool(box, "qemu-img", "create", "-f", "qcow2", "disk.qcow2", "64M")
        try tool(box, "qemu-io", "-f", "qcow2", "-c", "write -P 5 1M 40M", "disk.qcow2")
        let keys = ["--vault", box("vault"), "--passphrase-file", box("passphrase")]
        let issued = try box.run(
            ["repository", "keys", "issue-writer"] + keys + ["--name", "agent", "--out", box("writer")])
        #expect(issued.exit == .code(0))
        let disk = ["backup", "--name", "desk", "--disk", box("disk.qcow2")]
        func backUp(_ more: [String], asWriter: Bool, exits: Int32 = 0) throws -> [String: Any] {
            let key = asWriter ? ["--writer-file", box("writer")] : ["--passphrase-file", box("passphrase")]
            let run = try box.run(["repository"] + disk + ["--vault", box("vault")] + key + more)
            #expect(run.exit == .code(exits), "\(run.errors)")
            return try run.result
        }
        for asWriter in [false, true] {
            let first = try #require(backUp([], asWriter: asWriter)["id"] as? String)
            try tool(box, "qemu-img", "bitmap", "--add", "disk.qcow2", "changes")
            try tool(
                box, "qemu-io", "-f", "qcow2", "-c", "write -P 6 2M 100k", "-c", "write -z 10M 1M", "-c",
                "discard 20M 1M",
                "-c", "write -P \(asWriter ? 8 : 7) 60M 512", "disk.qcow2")
            try writeMap(box)
            let since = ["--changes", box("map"), "--changed-since", String(first.prefix(16))]
            let second = try backUp(since, asWriter: asWriter)
            #expect(second["wholeRead"] == nil)
            #expect(try #require(second["bytesRead"] as? Int) < 4 << 20)
            #expect(try #require(second["bytesInherited"] as? Int) > 30 << 20)
            try box.repository("export", ["latest:desk", "--disk", box("out.raw")])
            #expect(
                try tool(box, "qemu-img", "compare", "-f", "qcow2", "-F", "raw", "disk.qcow2", "out.raw")
                    .contains("identical"))
            unlink(box("out.raw"))

            // What is of no use is said, and everything read.
            let others = [
                ["--changes", box("map"), "--changed-since", "abcdef"],
                ["--changes", box("nowhere"), "--changed-since", first],
            ]
            for other in others {
                let whole = try backUp(other, asWriter: asWriter)
                #expect(whole["wholeRead"] != nil)
                #expect(try #require(whole["bytesRead"] as? Int) > 30 << 20)
            }
            try tool(box, "qemu-img", "bitmap", "--remove", "disk.qcow2", "changes")
        }
        try box.repository("backup", Array(disk.dropFirst()) + ["--changes", box("map")], exits: 2)
    }
}
