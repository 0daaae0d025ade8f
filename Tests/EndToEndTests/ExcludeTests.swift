import Foundation
import Glibc
import Platform
import Support
import Testing

/// What a backup leaves out when a person says so, and what it says of it.
@Suite struct ExcludeTests {
    private func made() throws -> Toolbox {
        let toolbox = try Toolbox("exclude")
        for name in ["a.o", "a.c", "build/x", "in/b.o", "in/keep.o", "in/build/x", "cache/big"] {
            try toolbox.write(name, "source/" + name)
        }
        try toolbox.write("Signature: 8a477f597d28d172789f06886806bc55\n", "source/cache/CACHEDIR.TAG")
        try toolbox.write("# by the project\n!keep.o\n", "source/in/.breakwaterignore")
        try toolbox.repository("init")
        return toolbox
    }

    /// Paths of the newest snapshot below the source.
    private func paths(_ toolbox: Toolbox) throws -> Set<String> {
        let listed = try toolbox.repository("restore", ["latest:desk", "--target", toolbox("out")])
        #expect(listed.errors == "" || listed.exit == .code(0))
        let root = toolbox("out") + toolbox("source")
        let found = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return Set(found)
    }

    @Test func whatMatchesIsLeftOutCountedAndShown() throws {
        let toolbox = try made()
        try toolbox.write("*.o\n!keep.o\n", "patterns")
        let run = try toolbox.repository(
            "backup",
            [
                "--name", "desk", toolbox("source"), "--exclude", "/build", "--exclude-from", toolbox("patterns"),
                "--exclude-caches",
            ])
        #expect(try run.result["excluded"] as? Int == 4)
        let first = try #require(try run.result["firstExcluded"] as? [String])
        #expect(Set(first) == Set(["a.o", "build", "cache/big", "in/b.o"].map { toolbox("source/" + $0) }))
        #expect(
            try paths(toolbox) == [
                "a.c", "cache", "cache/CACHEDIR.TAG", "in", "in/.breakwaterignore", "in/keep.o", "in/build",
                "in/build/x",
            ])
    }

    @Test func aPatternThatIsNoneIsRefusedBeforeAnythingIsDone() throws {
        let toolbox = try made()
        let before = toolbox.objects("log").count
        for more in [["--exclude", "[a"], ["--exclude-from", toolbox("bad")]] {
            try toolbox.write("fine\n[bad\n", "bad")
            let run = try toolbox.repository("backup", ["--name", "desk", toolbox("source")] + more, exits: 2)
            #expect(run.errors.contains("no pattern"))
        }
        try toolbox.repository(
            "backup", ["--name", "desk", toolbox("source"), "--exclude-from", toolbox("none")], exits: 4)
        #expect(toolbox.objects("log").count == before)
    }

    /// A file of the kernel that nobody can read, root included.
    @Test(.enabled(if: access("/sys/bus/pci/rescan", F_OK) == 0)) func whatNobodyCanReadIsPartlyDone() throws {
        let toolbox = try made()
        let run = try toolbox.repository(
            "backup", ["--name", "desk", toolbox("source"), "/sys/bus/pci/rescan"], exits: 5)
        #expect(run.errors.contains("/sys/bus/pci/rescan"))
        #expect(try run.result["unreadable"] as? Int == 1)
        #expect(try paths(toolbox).contains("a.c"))
    }
}
