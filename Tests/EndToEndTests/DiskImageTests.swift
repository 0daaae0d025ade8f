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
}
