import Foundation
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A log that lost a record, its genesis, or its end: said, read on from the other vault, given up or accepted.
@Suite struct BrokenLogTests {
    /// Two backups: records 1 and 2 are the first, 3 and 4 the second.
    private func made() throws -> (Toolbox, ids: [String]) {
        let toolbox = try Toolbox()
        try toolbox.write("one", "source/one")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try toolbox.write("two", "source/two")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let ids = try ids(toolbox)
        try #require(ids.count == 2)
        return (toolbox, ids)
    }

    private func ids(
        _ toolbox: Toolbox, _ more: [String] = [], vault: String = "vault", exits code: Int32 = 0
    ) throws -> [String] {
        try toolbox.repository("snapshots", more, vault: vault, exits: code).objects.compactMap { $0["id"] as? String }
    }

    private func record(_ number: Int) -> String { "log/" + String(format: "%016d", number) }

    private func replace(_ toolbox: Toolbox, _ object: String, with text: String?) throws {
        let path = toolbox("vault") + "/" + object
        try? FileManager.default.removeItem(atPath: path)
        if let text { try toolbox.write(text, "vault/" + object) }
    }

    private func copy(_ toolbox: Toolbox, exits code: Int32) throws -> Toolbox.Run {
        let run = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")])
        #expect(run.exit == .code(code), "\(run.errors)")
        return run
    }

    // MARK: - A fork

    /// The log lost its end, which the copy has mirrored, and went on.
    @Test func whatAForkedLogHasLostIsNamedBroughtBackAndSettled() throws {
        let (toolbox, ids) = try made()
        _ = try copy(toolbox, exits: 0)
        for number in [3, 4] { try replace(toolbox, record(number), with: nil) }
        try FileManager.default.removeItem(atPath: toolbox("state/heads"))
        try toolbox.write("three", "source/three")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let also = ["--also", toolbox("copy")]
        let listed = try toolbox.repository("snapshots", also, exits: 5)
        let fork = try #require(try listed.events("fork").first)
        #expect(fork["firstRecord"] as? Int == 3 && fork["records"] as? Int == 2)
        let lost = try #require((fork["snapshots"] as? [[String: Any]])?.first)
        #expect(lost["id"] as? String == ids[1] && lost["isThere"] as? Bool == true)
        let check = try toolbox.repository("check", also, exits: 6)
        #expect(try check.events("damaged").map { $0["object"] as? String } == [record(3)])
        // What is left to do is the owner's word, and not another vault; who is about to give it is not told to.
        for run in [listed, check] { #expect(run.errors.contains("accept-head --vault")) }
        #expect(!check.errors.contains("repair --from"))
        let asked = try toolbox.repository("accept-head", also + ["--text"], exits: 3)
        #expect(!(asked.output + asked.errors).contains("accept-head --vault"))
        let repair = try toolbox.repository("repair", ["--from", toolbox("copy"), "--text"], exits: 5)
        #expect(repair.errors.contains("accept-head --vault") && !repair.errors.contains("with --from"))
        #expect(repair.output.contains("copy --from \(toolbox("copy")) --to \(toolbox("vault"))"))
        // Nothing goes to the copy over what it has mirrored; from it comes what was lost.
        #expect(try copy(toolbox, exits: 3).errors.contains("check --vault"))
        let back = try toolbox.run([
            "repository", "copy", "--from", toolbox("copy"), "--to", toolbox("vault"), "--passphrase-file",
            toolbox("passphrase"),
        ])
        #expect(back.exit == .code(0), "\(back.errors)")
        #expect(try back.result["copied"] as? [String] == [ids[1]])
        #expect(try self.ids(toolbox).count == 3)
        try toolbox.repository("restore", [ids[1], "--target", toolbox("target")])
        // The owner's word settles it.
        #expect(try toolbox.repository("accept-head", also + ["--yes"]).result["accepted"] as? Bool == true)
        #expect(try toolbox.repository("check", also).result["clean"] as? Bool == true)
        #expect(try toolbox.repository("repair", ["--from", toolbox("copy")]).result["left"] as? Int == 0)
        #expect(try (copy(toolbox, exits: 0).result["copied"] as? [String])?.count == 1)
    }

    /// Nobody remembers the vault's head, and its records are those that the copy has mirrored: what was copied since tells.
    @Test func aVaultPutBackToWhatItsOwnerGaveUpIsNamedByItsCopy() throws {
        let (toolbox, _) = try made()
        let files = FileManager.default
        for text in ["three", "four"] {
            try toolbox.write(text, "source/\(text)")
            try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        }
        _ = try copy(toolbox, exits: 0)
        try files.copyItem(atPath: toolbox("vault"), toPath: toolbox("left"))
        for number in 3...8 { try replace(toolbox, record(number), with: nil) }
        try files.removeItem(atPath: toolbox("state/heads"))
        try toolbox.write("five", "source/five")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let also = ["--also", toolbox("copy")]
        #expect(try toolbox.repository("accept-head", also + ["--yes"]).result["accepted"] as? Bool == true)
        let later = try #require((try copy(toolbox, exits: 0).result["copied"] as? [String])?.first)
        try files.removeItem(atPath: toolbox("vault"))
        try files.moveItem(atPath: toolbox("left"), toPath: toolbox("vault"))
        try files.removeItem(atPath: toolbox("state/heads"))

        let repair = try toolbox.repository("repair", ["--from", toolbox("copy")], exits: 5)
        let fork = try #require(try repair.events("fork").first)
        #expect(fork["firstRecord"] as? Int == 4 && fork["accepted"] as? Bool == false)
        let lost = try #require((fork["snapshots"] as? [[String: Any]])?.first)
        #expect(lost["id"] as? String == later && lost["isThere"] as? Bool == true)
        #expect(try toolbox.repository("snapshots", also, exits: 5).events("fork").count == 1)
        try toolbox.repository("check", also, exits: 6)
        #expect(try toolbox.repository("accept-head", also + ["--yes"]).result["accepted"] as? Bool == true)
        #expect(try toolbox.repository("repair", ["--from", toolbox("copy")]).result["left"] as? Int == 0)
    }

    // MARK: - A record

    @Test(arguments: [nil, "junk"] as [String?]) func aLostRecordIsSaidByEverybody(junk: String?) throws {
        let (toolbox, ids) = try made()
        try replace(toolbox, record(3), with: junk)
        let listed = try toolbox.repository("snapshots", exits: 5)
        #expect(try listed.objects.compactMap { $0["id"] as? String } == [ids[0]])
        let error = try #require(try listed.events("error").first)
        #expect((error["what"] as? String)?.contains("record 3 ") == true)
        for word in ["check", "repair --from", "repository void"] {
            #expect((error["advice"] as? String)?.contains(word) == true, "\(word)")
        }
        let copied = try copy(toolbox, exits: 5)
        #expect(try copied.result["copied"] as? [String] == [ids[0]])
        #expect(copied.errors.contains("record 3 "))
        let check = try toolbox.repository("check", exits: 6)
        #expect(try check.result["snapshotsTouched"] as? [String] == [ids[1]])
        #expect(try check.events("damaged").contains { $0["object"] as? String == record(3) })
        let list = try toolbox.repository("list", [ids[0]])
        #expect(list.errors.contains("record 3 "))
        let restore = try toolbox.repository("restore", [ids[0], "--target", toolbox("target")])
        #expect(restore.errors.contains("record 3 "))
        #expect(try toolbox.repository("list", [ids[1]], exits: 6).errors.contains("record 3 "))
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("other")], exits: 6)
        let backup = try toolbox.repository("backup", ["--name", "desk", toolbox("source")], exits: 6)
        #expect(backup.errors.contains("repository void") && backup.errors.contains(" 3"))
    }

    @Test func aLostRecordIsReadFromTheOtherVault() throws {
        let (toolbox, ids) = try made()
        _ = try copy(toolbox, exits: 0)
        try replace(toolbox, record(3), with: nil)
        let also = ["--also", toolbox("copy")]
        #expect(try self.ids(toolbox, also) == ids)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")] + also)
        #expect(try toolbox.differences("source", "target") == [])
        let check = try toolbox.repository("check", also, exits: 6)
        #expect(try check.events("damaged").map { $0["object"] as? String } == [record(3)])
        #expect((try check.events("damaged").first?["recovery"] as? String)?.hasSuffix("/copy has it whole") == true)
        // The copier reads it from its own mirror, and goes on.
        #expect(try copy(toolbox, exits: 0).errors.contains("log record 3 is lost"))
    }

    @Test func aRecordCutShortByAByteHidesNothing() throws {
        let (toolbox, ids) = try made()
        for object in toolbox.objects("log") {
            let path = toolbox("vault") + "/" + object
            chmod(path, 0o600)
            #expect(truncate(path, off_t(try toolbox.bytes(of: "vault/" + object).count - 1)) == 0)
        }
        #expect(try self.ids(toolbox) == ids)
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        #expect(try toolbox.repository("check", exits: 6).events("damaged").count == 5)
    }

    @Test func junkIsVoidedAndBackupsGoOn() throws {
        let (toolbox, ids) = try made()
        try toolbox.repository("void", ["4"], exits: 3)
        try toolbox.repository("void", ["5"], exits: 3)
        try replace(toolbox, record(5), with: "junk")
        let backup = try toolbox.repository("backup", ["--name", "desk", toolbox("source")], exits: 6)
        #expect(backup.errors.contains("repository void") && backup.errors.contains(" 5"))
        try toolbox.repository("void", ["4"], exits: 3)
        #expect(try toolbox.repository("void", ["5"]).result["voided"] as? Int == 5)
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        #expect(try self.ids(toolbox).prefix(2) == ids[...])
        try toolbox.repository("check", ["--read-data"])
        _ = try copy(toolbox, exits: 0)
    }

    @Test func whatCameAfterALostRecordIsGivenUpOnlyWithAWord() throws {
        let (toolbox, ids) = try made()
        try replace(toolbox, record(3), with: nil)
        let refused = try toolbox.repository("void", ["3"], exits: 3)
        #expect(refused.errors.contains("--yes"))
        #expect(try toolbox.repository("void", ["3", "--yes"]).result["snapshotsGivenUp"] as? [String] == [ids[1]])
        #expect(try self.ids(toolbox) == [ids[0]])
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
    }

    // MARK: - A set

    @Test func aLogThatNobodyCanJudgeIsSettledWithAWord() throws {
        let (toolbox, ids) = try made()
        try toolbox.repository("settle", ["--yes"], exits: 3)
        let before = Set(toolbox.objects("sets") + toolbox.objects("manifests"))
        try toolbox.write("five", "source/five")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let last = try #require(try self.ids(toolbox).last)
        for object in Set(toolbox.objects("sets") + toolbox.objects("manifests")).subtracting(before) {
            try FileManager.default.removeItem(atPath: toolbox("vault") + "/" + object)
        }
        let backup = try toolbox.repository("backup", ["--name", "desk", toolbox("source")], exits: 6)
        #expect(backup.errors.contains("repository settle --vault \(toolbox("vault"))"))
        let refused = try toolbox.repository("settle", exits: 3)
        #expect(refused.errors.contains("--yes"))
        let settled = try toolbox.repository("settle", ["--yes"]).result
        #expect((settled["records"] as? [Int])?.count == 1 && settled["snapshotsGivenUp"] as? [String] == [])
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try toolbox.repository("forget", [last])
        #expect(try self.ids(toolbox).prefix(2) == ids[...] && self.ids(toolbox).count == 3)
        try toolbox.repository("collect", ["--release-claims"])
        try toolbox.repository("check", ["--read-data"])
    }

    // MARK: - The genesis

    @Test(arguments: [nil, "junk"] as [String?]) func aLostGenesisIsNamedAndReadFromTheCopy(junk: String?) throws {
        let (toolbox, ids) = try made()
        _ = try copy(toolbox, exits: 0)
        try replace(toolbox, record(0), with: junk)
        let check = try toolbox.repository("check", exits: 6)
        #expect(try check.events("damaged").map { $0["object"] as? String } == [record(0)])
        #expect(try check.result["snapshotsTouched"] as? [String] == ids.sorted())
        for (verb, more) in [("snapshots", []), ("void", ["1"]), ("backup", ["--name", "desk", toolbox("source")])] {
            let errors = try toolbox.repository(verb, more, exits: 6).errors
            #expect(errors.contains(record(0)) && errors.contains("repair --from") && !errors.contains("--also"))
        }
        let also = ["--also", toolbox("copy")]
        #expect(try self.ids(toolbox, also) == ids)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")] + also)
        #expect(try toolbox.differences("source", "target") == [])
        let aided = try toolbox.repository("check", also, exits: 6)
        #expect((try aided.events("damaged").first?["recovery"] as? String)?.hasSuffix("/copy has it whole") == true)
        _ = try copy(toolbox, exits: 0)
        try toolbox.repository("repair", ["--from", toolbox("copy")])
        #expect(try self.ids(toolbox) == ids)
    }

    /// Neither tells of the other: both are what the mirror has, and one run puts them back.
    @Test func aLostRecordBeforeAnUnreadableHeadIsRepairedAtOnce() throws {
        let (toolbox, ids) = try made()
        _ = try copy(toolbox, exits: 0)
        try replace(toolbox, record(3), with: nil)
        try replace(toolbox, record(4), with: "junk")
        try toolbox.repository("repair", ["--from", toolbox("copy")])
        #expect(try self.ids(toolbox) == ids)
        try toolbox.repository("check", ["--read-data"])
    }

    // MARK: - The end

    @Test(arguments: [1, 2]) func aLostEndIsReadFromTheCopy(records: Int) throws {
        let (toolbox, ids) = try made()
        _ = try copy(toolbox, exits: 0)
        for record in toolbox.objects("log").suffix(records) {
            try FileManager.default.removeItem(atPath: toolbox("vault/" + record))
        }
        let also = ["--also", toolbox("copy")]
        #expect(try self.ids(toolbox, also) == ids)
        try toolbox.repository("restore", [ids[1], "--target", toolbox("target")] + also)
        #expect(try toolbox.differences("source", "target") == [])
        try toolbox.repository("check", also, exits: 6)
        try toolbox.repository("repair", ["--from", toolbox("copy")])
        #expect(try self.ids(toolbox) == ids)
    }

    @Test func aVaultPutBackIsRefusedUntilItsHeadIsAccepted() throws {
        let (toolbox, ids) = try made()
        let files = FileManager.default
        func putBack(_ kept: String) throws {
            try files.removeItem(atPath: toolbox("vault"))
            try files.copyItem(atPath: toolbox(kept), toPath: toolbox("vault"))
        }
        try files.copyItem(atPath: toolbox("vault"), toPath: toolbox("old"))
        #expect(try toolbox.repository("accept-head", ["--yes"]).result["accepted"] as? Bool == false)
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try putBack("old")
        #expect(try toolbox.repository("snapshots", exits: 3).errors.contains("accept-head"))
        #expect(try toolbox.repository("accept-head", exits: 3).errors.contains("--yes"))
        let accepted = try toolbox.repository("accept-head", ["--yes"])
        #expect(try accepted.result["accepted"] as? Bool == true && accepted.result["lastSeen"] as? Int == 6)
        #expect(try self.ids(toolbox) == ids)
        // It was this once: the next time is refused again.
        try files.copyItem(atPath: toolbox("vault"), toPath: toolbox("accepted"))
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try putBack("accepted")
        try toolbox.repository("snapshots", exits: 3)
    }

    /// It may be an honest copy: it is served, and said.
    @Test func anOlderVaultAtAnotherPlaceIsServedWithAWarning() throws {
        let (toolbox, ids) = try made()
        try FileManager.default.copyItem(atPath: toolbox("vault"), toPath: toolbox("older"))
        #expect(try toolbox.repository("snapshots", vault: "older").errors == "")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        for verb in ["snapshots", "check"] {
            let run = try toolbox.repository(verb, vault: "older")
            #expect(run.errors.contains("seen at another place"), "\(verb)")
        }
        #expect(try toolbox.repository("snapshots").errors == "")
        #expect(try toolbox.repository("snapshots", vault: "older").objects.count == ids.count)
    }

    // MARK: - Checkpoints

    @Test func aBackupLeavesACheckpointWhenOneIsDue() throws {
        let toolbox = try Toolbox()
        try toolbox.write("one", "source/one")
        try toolbox.repository("init")
        let store = try DirectoryStore(at: toolbox("vault"), access: .writing, surroundings: .system)
        let repository = try Repository.open(
            store, .passphrase(Array("correct horse battery".utf8)), heads: NoHeadMemory(), surroundings: .system)
        for _ in 0..<Log.checkpointInterval / 2 {
            try repository.release(try repository.claim(.session(.random(.system))))
        }
        #expect(toolbox.objects("checkpoints") == [])
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        #expect(toolbox.objects("checkpoints").count == 1)
        try toolbox.repository("check")
    }
}
