import Foundation
import Glibc
import Platform
import Support
import Testing

/// The offline toolbox from end to end, as scripts use it.
@Suite struct MainJobTests {
    @Test func anAwkwardTreeGoesInAndComesBack() throws {
        let toolbox = try Toolbox()
        try toolbox.makeDirectory("source")
        try AwkwardTree.build(at: toolbox("source"))
        try toolbox.repository("init")
        let backup = try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let restore = try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        #expect(try restore.result["files"] as? Int == backup.result["files"] as? Int)
        let check = try toolbox.repository("check", ["--read-data"])
        #expect(try check.result["clean"] as? Bool == true)
        #expect(try check.result["orphans"] as? Int == 0)
    }

    @Test func snapshotsAreObjectsOfOneLineEach() throws {
        let toolbox = try Toolbox()
        try toolbox.write("hello", "source/港口.txt")
        try toolbox.write([UInt8](repeating: 7, count: 100_000), "image")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "桌面", toolbox("source")])
        try toolbox.repository("backup", ["--name", "pc", "--disk", toolbox("image")])
        let listed = try toolbox.repository("snapshots", ["--json"]).objects
        #expect(listed.count == 2)
        let (tree, disk) = (listed[0], listed[1])
        #expect((tree["id"] as? String)?.count == 64)
        #expect(tree["name"] as? String == "桌面")
        #expect(tree["kind"] as? String == "tree")
        #expect(tree["bytes"] as? Int == 5)
        #expect(tree["files"] as? Int == 1)
        #expect((tree["storedBytes"] as? Int ?? 0) > 0)
        let format = ISO8601DateFormatter()
        let time = try #require(tree["time"] as? String)
        #expect(format.date(from: String(time.prefix(19)) + "Z") != nil)
        #expect(disk["kind"] as? String == "disk")
        #expect(disk["bytes"] as? Int == 100_000)
    }

    @Test func aSecondBackupStoresOnlyTheDifference() throws {
        let toolbox = try Toolbox()
        var seed = Seed(5)
        try toolbox.write(seed.bytes(8_000_000), "source/large")
        try toolbox.repository("init")
        let first = try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        #expect((try first.result["storedBytes"] as? Int ?? 0) > 8_000_000)
        try toolbox.write(seed.bytes(50_000), "source/small")
        let second = try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        #expect((try second.result["storedBytes"] as? Int ?? .max) < 100_000)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func aSparseDiskOfOddSizeComesBack() throws {
        let toolbox = try Toolbox()
        var seed = Seed(6)
        let file = try Descriptor.open(toolbox("image"), O_WRONLY | O_CREAT, mode: 0o600)
        try file.truncate(to: (300 << 20) + 777)
        try seed.bytes(3_000_000).withUnsafeBytes { try file.write($0, at: 100_001) }
        try seed.bytes(777).withUnsafeBytes { try file.write($0, at: 300 << 20) }
        try file.close()
        try toolbox.repository("init")
        let backup = try toolbox.repository("backup", ["--name", "pc", "--disk", toolbox("image")])
        #expect((try backup.result["storedBytes"] as? Int ?? .max) < 3_500_000)
        try toolbox.repository("restore", ["latest:pc", "--disk", toolbox("copy")])
        #expect(try equal(toolbox("image"), toolbox("copy")))
        let status = try Directory(at: toolbox.directory.path).status(of: Array("copy".utf8))
        #expect((status?.allocated ?? .max) < 5_000_000)
    }

    @Test func treesAndDisksLieInOneSnapshot() throws {
        let toolbox = try Toolbox()
        var seed = Seed(7)
        try toolbox.write("one", "source/one")
        try toolbox.write(seed.bytes(200_001), "system.img")
        try toolbox.write(seed.bytes(70_000), "data.img")
        try toolbox.repository("init")
        try toolbox.repository(
            "backup",
            ["--name", "pc", toolbox("source"), "--disk", toolbox("system.img"), "--disk", toolbox("data.img")])
        let listed = try toolbox.repository("snapshots").objects
        #expect(listed.count == 1)
        #expect((listed[0]["streams"] as? [Any])?.count == 3)
        try toolbox.repository("restore", ["latest:pc", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        try toolbox.repository("restore", ["latest:pc", "--disk", toolbox("out")], exits: 2)
        try toolbox.repository("restore", ["latest:pc", "--disk", toolbox("out"), "--stream", "data.img"])
        #expect(try equal(toolbox("data.img"), toolbox("out")))
    }

    @Test func listsNameWhatIsThere() throws {
        let toolbox = try Toolbox()
        try toolbox.write("a", "source/sub/one")
        try toolbox.write("bb", "source/sub/deep/two")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let all = try toolbox.repository("list", ["latest:desk"]).objects.compactMap { $0["path"] as? String }
        #expect(all.contains(toolbox("source/sub/deep/two")))
        let some = try toolbox.repository("list", ["latest:desk", toolbox("source/sub")]).objects
        #expect(some.compactMap { $0["path"] as? String } == [toolbox("source/sub/deep"), toolbox("source/sub/one")])
        let one = try toolbox.repository("list", ["latest:desk", toolbox("source/sub/deep/two")]).objects
        #expect(one.first?["size"] as? Int == 2)
        try toolbox.repository("list", ["latest:desk", toolbox("source/none")], exits: 4)
        let text = try toolbox.repository("list", ["--text", "latest:desk"])
        #expect(text.output.contains("\(toolbox("source/sub/deep/two"))\n"))
    }

    @Test func onlyWhatIsIncludedIsRestored() throws {
        let toolbox = try Toolbox()
        try toolbox.write("a", "source/keep/one")
        try toolbox.write("b", "source/leave/two")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try toolbox.repository(
            "restore", ["latest:desk", "--target", toolbox("target"), "--include", toolbox("source/keep")])
        let base = toolbox("target") + toolbox("source")
        #expect(FileManager.default.fileExists(atPath: base + "/keep/one"))
        #expect(!FileManager.default.fileExists(atPath: base + "/leave"))
        try toolbox.repository(
            "restore", ["latest:desk", "--target", toolbox("other"), "--include", toolbox("source/none")], exits: 4)
    }

    @Test func aBackupOfWhereTheVaultLiesLeavesTheVaultOut() throws {
        let toolbox = try Toolbox()
        try toolbox.write("a", "all/one")
        try toolbox.repository("init", vault: "all/vault")
        try toolbox.repository("backup", ["--name", "desk", toolbox("all")], vault: "all/vault")
        let paths = try toolbox.repository("list", ["latest:desk"], vault: "all/vault").output
        #expect(paths.contains("all/one"))
        #expect(!paths.contains("all/vault/"))
    }

    @Test func theEnvironmentNamesThePassphraseFile() throws {
        let toolbox = try Toolbox()
        let environment = ["BREAKWATER_PASSPHRASE_FILE": toolbox("passphrase")]
        let made = try toolbox.run(["repository", "init", "--vault", toolbox("vault")], environment: environment)
        #expect(made.exit == .code(0))
        let listed = try toolbox.run(
            ["repository", "snapshots", "--vault", toolbox("vault")], environment: environment)
        #expect(listed.exit == .code(0))
        #expect(listed.output == "")
    }

    @Test func twoBackupsAtOnceBothCommit() throws {
        let toolbox = try Toolbox()
        var seed = Seed(8)
        for name in ["left", "right"] { try toolbox.write(seed.bytes(20_000_000), "\(name)/file") }
        try toolbox.repository("init")
        let started = try ["left", "right"].map { name in
            try toolbox.start(toolbox.arguments("backup", ["--name", name, toolbox(name)]))
        }
        for run in started {
            let run = try toolbox.finish(run)
            #expect(run.exit == .code(0), "\(run.errors)")
        }
        for name in ["left", "right"] {
            try toolbox.repository("restore", ["latest:\(name)", "--target", toolbox("target-\(name)")])
            #expect(try toolbox.differences(name, "target-\(name)") == [])
        }
        try toolbox.repository("check", ["--read-data"])
    }

    private func equal(_ left: String, _ right: String) throws -> Bool {
        try Data(contentsOf: URL(fileURLWithPath: left), options: .alwaysMapped)
            == Data(contentsOf: URL(fileURLWithPath: right), options: .alwaysMapped)
    }
}
