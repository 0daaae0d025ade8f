import Foundation
import Glibc
import Platform
import Support
import Testing

/// Every way of going wrong has its exit code, and words.
@Suite struct ExitCodeTests {
    private func made() throws -> Toolbox {
        let toolbox = try Toolbox()
        try toolbox.write("a", "source/one")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        return toolbox
    }

    @Test(arguments: [
        ["--help"], ["--version"], ["repository", "--help"], ["repository", "backup", "--help"],
        ["help", "repository"],
    ])
    func helpIsNoError(arguments: [String]) throws {
        let run = try Toolbox().run(arguments)
        #expect(run.exit == .code(0))
        #expect(!run.output.isEmpty)
    }

    @Test(arguments: [
        ["nonsense"], ["repository", "nonsense"], ["repository", "backup"], ["repository", "snapshots", "--vault"],
        ["repository", "backup", "--vault", "v", "--name", "n"],
        ["repository", "backup", "--vault", "v", "--name", "", "p"],
        ["repository", "restore", "--vault", "v", "latest:x"],
        ["repository", "snapshots", "--vault", "v", "--json", "--text"],
        ["repository", "backup", "--vault", "v", "--name", "n", "p", "--memory", "100MiB"],
        ["repository", "forget", "--vault", "v", "latest:n"],
        [
            "repository", "backup", "--vault", "v", "--name", "n", "--disk", "d", "--changes", "m", "--changed-since",
            "latest:n",
        ],
    ])
    func usageIsTwo(arguments: [String]) throws {
        let run = try Toolbox().run(arguments)
        #expect(run.exit == .code(2))
        let value = try JSONSerialization.jsonObject(with: Data(run.errors.utf8))
        let error = try #require(value as? [String: Any], "\(run.errors)")
        #expect(error["event"] as? String == "error" && error["code"] as? String == "usage")
        #expect(error["exit"] as? Int == 2)
        #expect((error["what"] as? String)?.hasPrefix("Error:") == false)
        #expect((error["advice"] as? String)?.contains("--help") == true, "\(run.errors)")
        #expect(run.errors.filter { $0 == "\n" }.count == 1)
    }

    @Test func aPassphraseThatWasNotGivenIsUsage() throws {
        let run = try Toolbox().run(["repository", "snapshots", "--vault", "v"])
        #expect(run.exit == .code(2))
        #expect(try run.events("error").last?["code"] as? String == "usage")
    }

    @Test func usageIsWordsForThoseWhoAskForText() throws {
        let run = try Toolbox().run(["repository", "snapshots", "--text"])
        #expect(run.exit == .code(2))
        #expect(run.errors.hasPrefix("Error: ") && run.errors.contains("Usage: "))
    }

    @Test func aFolderWithForeignFilesTakesNoCopy() throws {
        let toolbox = try made()
        try toolbox.write("dear", "letters/letter")
        let run = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("letters")])
        #expect(run.exit == .code(3) && run.errors.contains("letter"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: toolbox("letters")) == ["letter"])
    }

    /// As on a rescue system: what is remembered can be read and not be written.
    @Test func aStateFolderThatCannotBeWrittenKeepsNobodyFromReading() throws {
        let toolbox = try made()
        let backup = toolbox.arguments("backup", ["--name", "desk", toolbox("source")])
        #expect(try toolbox.run(backup, environment: ["BREAKWATER_STATE": toolbox("elsewhere")]).exit == .code(0))
        let folder = toolbox("state/heads")
        chmod(folder, 0o555)
        defer { chmod(folder, 0o700) }
        for (verb, more) in [("snapshots", []), ("restore", ["latest:desk", "--target", toolbox("target")])] {
            let run = try toolbox.run(toolbox.arguments(verb, more, vault: "vault"), through: Toolbox.withoutOverride)
            #expect(run.exit == .code(0) && run.errors.contains("cannot be remembered"), "\(run.errors)")
        }
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func aWrongPassphraseIsRefused() throws {
        let toolbox = try made()
        try toolbox.write("wrong\n", "passphrase")
        let run = try toolbox.repository("snapshots", exits: 3)
        #expect(run.errors.contains("passphrase"))
        let error = try #require(try run.events("error").first)
        #expect(error["code"] as? String == "refused")
        #expect(error["exit"] as? Int == 3)
        #expect((error["advice"] as? String)?.isEmpty == false)
        #expect(!run.errors.contains("wrong"))
    }

    @Test func onlyOneNewlineIsTakenOffThePassphrase() throws {
        let toolbox = try made()
        try toolbox.write("correct horse battery", "passphrase")
        try toolbox.repository("snapshots")
        try toolbox.write("correct horse battery\n\n", "passphrase")
        try toolbox.repository("snapshots", exits: 3)
    }

    @Test func anEmptyPassphraseIsRefused() throws {
        let toolbox = try Toolbox(passphrase: "\n")
        try toolbox.repository("init", exits: 3)
        #expect(toolbox.objects("log") == [])
    }

    @Test func aPassphraseThatEverybodyReadsIsWarnedOf() throws {
        let toolbox = try made()
        #expect(try toolbox.repository("snapshots").errors == "")
        chmod(toolbox("passphrase"), 0o644)
        #expect(try toolbox.repository("snapshots").errors.contains("can read the passphrase file"))
    }

    @Test func whatIsNotThereIsNotFound() throws {
        let toolbox = try made()
        try toolbox.repository("snapshots", vault: "none", exits: 4)
        try toolbox.makeDirectory("empty")
        try toolbox.repository("snapshots", vault: "empty", exits: 4)
        try toolbox.repository("backup", ["--name", "desk", toolbox("nothing")], exits: 4)
        try toolbox.repository("backup", ["--name", "desk", "--disk", toolbox("nothing")], exits: 4)
        try toolbox.repository("restore", ["latest:other", "--target", toolbox("target")], exits: 4)
        try toolbox.repository("restore", ["ffffffffffffffffff", "--target", toolbox("target")], exits: 4)
        try toolbox.repository("restore", ["latest:desk", "--disk", toolbox("out")], exits: 4)
        #expect(!FileManager.default.fileExists(atPath: toolbox("target")))
        #expect(try toolbox.repository("snapshots").objects.count == 1)
    }

    /// To make a vault is no advice where one was to be that holds something.
    @Test func aMistypedVaultBesidesIsLookedForByItsOption() throws {
        let toolbox = try made()
        try toolbox.makeDirectory("empty")
        let own = ["--vault", toolbox("vault"), "--passphrase-file", toolbox("passphrase")]
        let cases: [(verb: [String], more: [String], option: String)] = [
            (["restore"], own + ["latest:desk", "--target", toolbox("target")], "--also"),
            (["check"], own, "--also"), (["check"], ["--vault", toolbox("vault")], "--also"),
            (["snapshots"], own, "--also"), (["keys", "list"], own, "--also"), (["keys", "rotate"], own, "--also"),
            (["repair"], own, "--from"), (["copy"], ["--to", toolbox("copy")], "--from"),
            (["collect"], own + ["--base-passphrase-file", toolbox("passphrase")], "--base"),
        ]
        for place in ["none", "empty"] {
            for (verb, more, option) in cases {
                let run = try toolbox.run(["repository"] + verb + more + [option, toolbox(place)])
                let error = try #require(try run.events("error").last, "\(verb): \(run.errors)")
                #expect(run.exit == .code(4), "\(verb) \(option): \(run.errors)")
                let advice = error["advice"] as? String ?? ""
                #expect(advice.contains(option) && !advice.contains("init"), "\(verb) \(option): \(run.errors)")
            }
        }
        let alone = try toolbox.repository("snapshots", vault: "none", exits: 4)
        #expect(alone.errors.contains("repository init"))
    }

    @Test func aPrefixOfSeveralSnapshotsIsUsage() throws {
        let toolbox = try made()
        // Seventeen ids cannot all begin with different digits.
        for number in 1...16 {
            try toolbox.write("\(number)", "source/one")
            try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        }
        let ids = try toolbox.repository("snapshots").objects.compactMap { $0["id"] as? String }
        #expect(Set(ids).count == 17)
        let shared = try #require(Dictionary(grouping: ids, by: \.first).values.first { $0.count > 1 }?.first?.first)
        try toolbox.repository("list", [String(shared)], exits: 2)
        let found = try toolbox.repository("list", [String(ids[3].prefix(20))])
        #expect(try found.objects.isEmpty == false)
    }

    @Test func nothingIsOverwritten() throws {
        let toolbox = try made()
        try toolbox.repository("init", exits: 3)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")])
        let path = toolbox("target") + toolbox("source/one")
        try "mine".write(toFile: path, atomically: false, encoding: .utf8)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")], exits: 3)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target"), "--update"])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "a")
        try toolbox.write("disk", "image")
        try toolbox.repository("backup", ["--name", "pc", "--disk", toolbox("image")])
        try toolbox.write("mine", "out")
        try toolbox.repository("restore", ["latest:pc", "--disk", toolbox("out")], exits: 3)
        #expect(try toolbox.bytes(of: "out") == Array("mine".utf8))
    }

    private func backup(_ toolbox: Toolbox, _ paths: String..., exits code: Int32) throws -> Toolbox.Run {
        let arguments = toolbox.arguments("backup", ["--name", "desk"] + paths.map { toolbox($0) })
        let run = try toolbox.run(arguments, through: Toolbox.withoutOverride)
        #expect(run.exit == .code(code), "\(paths): \(run.errors)")
        return run
    }

    @Test func whatCannotBeReadIsPartlyDone() throws {
        let toolbox = try made()
        try toolbox.write("secret", "source/closed")
        chmod(toolbox("source/closed"), 0)
        let run = try backup(toolbox, "source", exits: 5)
        #expect(run.errors.contains("source/closed"))
        #expect(try run.result["unreadable"] as? Int == 1)
    }

    @Test func whereNothingCanBeReadNoSnapshotIsMade() throws {
        let toolbox = try made()
        try toolbox.write("secret", "closed file")
        chmod(toolbox("closed file"), 0)
        try toolbox.makeDirectory("closed")
        chmod(toolbox("closed"), 0)
        defer { chmod(toolbox("closed"), 0o700) }
        for paths in [["closed"], ["closed file"], ["closed", "closed file"]] {
            let run =
                try paths.count == 1
                ? backup(toolbox, paths[0], exits: 6) : backup(toolbox, paths[0], paths[1], exits: 6)
            #expect(run.errors.contains("nothing of what was named could be captured"), "\(run.errors)")
            #expect(run.errors.contains("Permission denied"))
        }
        #expect(try backup(toolbox, "nowhere", exits: 4).errors.contains("nowhere"))
        #expect(try backup(toolbox, "closed/below", exits: 6).errors.contains("Permission denied"))
        #expect(try toolbox.repository("snapshots").objects.count == 1)
    }

    @Test func ofSeveralPathsThoseThatCanBeReadAreBackedUp() throws {
        let toolbox = try made()
        try toolbox.makeDirectory("closed")
        chmod(toolbox("closed"), 0)
        defer { chmod(toolbox("closed"), 0o700) }
        for other in ["closed", "nowhere"] {
            let run = try backup(toolbox, "source", other, exits: 5)
            #expect(run.errors.contains(toolbox(other)), "\(run.errors)")
            #expect(try run.result["files"] as? Int == 1)
        }
        #expect(try toolbox.repository("snapshots").objects.count == 3)
    }

    @Test func everyErrorAdvisesOrSaysNothing() throws {
        let toolbox = try made()
        let runs = [
            try toolbox.run(["repository", "check", "--vault", "", "--passphrase-file", toolbox("passphrase")]),
            try toolbox.repository("restore", ["latest:desk", "--target", ""], exits: 2),
            try toolbox.repository("snapshots", vault: "none", exits: 4),
            try toolbox.repository("backup", ["--name", "desk", "nowhere"], exits: 4),
            try toolbox.repository("backup", ["--name", "desk", "--disk", toolbox("source")], exits: 2),
        ]
        for run in runs {
            let error = try #require(try run.events("error").last, "\(run.errors)")
            #expect((error["advice"] as? String)?.isEmpty == false, "\(run.output)")
        }
    }

    @Test func aVaultThatWentBackIsRefused() throws {
        let toolbox = try made()
        let newest = try #require(toolbox.objects("log").last)
        try FileManager.default.removeItem(atPath: toolbox("vault") + "/" + newest)
        let run = try toolbox.repository("snapshots", exits: 3)
        #expect(run.errors.contains("rolled back"))
    }

    @Test func aReaderThatLeavesAListIsNoError() throws {
        let toolbox = try made()
        for number in 0..<3000 { try toolbox.write("", "source/file with a rather long name \(number)") }
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let arguments = toolbox.arguments("list", ["latest:desk"]).map { "'\($0)'" }.joined(separator: " ")
        #expect(try ended(toolbox, arguments, unreadAfter: "head -n 1") == .code(0))
        #expect(try toolbox.bytes(of: "line").last == UInt8(ascii: "\n"))
    }

    @Test func anArchiveWhoseReaderLeavesIsCutOff() throws {
        let toolbox = try made()
        for number in 0..<3000 { try toolbox.write("", "source/file \(number)") }
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let arguments = toolbox.arguments("export", ["--tar", "-", "latest:desk"]).map { "'\($0)'" }
            .joined(separator: " ")
        #expect(try ended(toolbox, arguments, unreadAfter: "head -c 1000") == .code(6))
        #expect(String(decoding: try toolbox.bytes(of: "errors"), as: UTF8.self).contains("cut off"))
    }

    @Test func damageIsToldByTheExitCodeThoughNobodyReadsOn() throws {
        let toolbox = try made()
        let pack = try #require(toolbox.objects("packs").first)
        try FileManager.default.removeItem(atPath: toolbox("vault") + "/" + pack)
        let arguments = toolbox.arguments("check", []).map { "'\($0)'" }.joined(separator: " ")
        #expect(try ended(toolbox, arguments, unreadAfter: "true") == .code(6))
    }

    /// How the program ends whose output goes to a command that reads some of it and leaves: into `line`, and what the
    /// program says of errors into `errors`.
    private func ended(_ toolbox: Toolbox, _ arguments: String, unreadAfter reader: String) throws -> ChildProcess.Exit?
    {
        let program = "'\(Toolbox.program)' \(arguments) 2> '\(toolbox("errors"))'"
        let child = try ChildProcess.start(
            ProcessLaunch(
                "bash", ["-c", "set -o pipefail; \(program) | \(reader) > '\(toolbox("line"))'"],
                environment: ["BREAKWATER_STATE": toolbox("state")]))
        return try child.wait(until: .after(.seconds(60)))
    }
}
