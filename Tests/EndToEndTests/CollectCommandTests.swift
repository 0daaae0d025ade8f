import Foundation
import Glibc
import Platform
import Support
import Testing

/// Forgetting and collecting as a person does it, with the built program.
struct CollectCommandTests {
    private func laden(_ label: String) throws -> (Toolbox, [String]) {
        let box = try Toolbox(label)
        try box.repository("init")
        var ids: [String] = []
        var seed = Seed(5)
        for day in 0..<4 {
            try box.write(seed.bytes(400_000), "data/day-\(day)")
            if day > 0 { try? FileManager.default.removeItem(atPath: box("data/day-\(day - 1)")) }
            let run = try box.repository("backup", ["--name", "pc", box("data")])
            ids.append(try #require(try run.result["id"] as? String))
        }
        return (box, ids)
    }

    @Test func whatIsForgottenIsFreedAndTheRestRestores() throws {
        let (box, ids) = try laden("collect")
        let before = box.objects("packs").count
        let dry = try box.repository("forget", ["--keep-last", "1", "--dry-run"])
        #expect(
            try dry.events("snapshot").filter { $0["stays"] as? Bool == true }.map { $0["id"] as? String } == [ids[3]])
        let byID = try box.repository("forget", [ids[1], "--dry-run"]).events("snapshot")
        #expect(byID.map { $0["id"] as? String } == [ids[1]] && byID.first?["stays"] as? Bool == false)
        #expect(try box.repository("snapshots").objects.count == 4)
        // Three of four is more than half.
        let refused = try box.repository("forget", ["--keep-last", "1"], exits: 3)
        #expect(refused.errors.contains("more than 50 in a hundred"))
        #expect(try box.repository("snapshots").objects.count == 4)
        let forgotten = try box.repository("forget", ["--keep-last", "1", "--yes"])
        #expect((try forgotten.result["forgotten"] as? [String])?.count == 3)
        let planned = try box.repository("collect", ["--dry-run"])
        #expect(try planned.result["bytes"] as? Int ?? 0 > 1_000_000)
        #expect(box.objects("packs").count == before)
        let collected = try box.repository("collect")
        #expect(try collected.result["bytes"] as? Int ?? 0 > 1_000_000)
        #expect(box.objects("packs").count < before)
        #expect(box.objects("manifests").count == 1)
        try box.repository("check", ["--read-data"])
        try box.repository("restore", [ids[3], "--target", box("restored")])
        #expect(try box.differences("data", "restored") == [])
        let usage = try box.run(["repository", "usage", "--vault", box("vault")])
        #expect(try usage.result["reclaimable"] as? Int == 0)
        #expect(try usage.result["live"] as? Int ?? 0 > 400_000)
    }

    /// A quarter of the first snapshot's pack is in use by the second, and then the first is forgotten.
    @Test func whatRepackingFreesIsSaidBefore() throws {
        let box = try Toolbox("repack")
        try box.repository("init")
        var seed = Seed(8)
        for part in 0..<4 { try box.write(seed.bytes(300_000), "data/part-\(part)") }
        let first = try box.repository("backup", ["--name", "pc", box("data")])
        for part in 1..<4 { try FileManager.default.removeItem(atPath: box("data/part-\(part)")) }
        try box.repository("backup", ["--name", "pc", box("data")])
        try box.repository("forget", [try #require(try first.result["id"] as? String)])
        let usage = try box.run(["repository", "usage", "--vault", box("vault")])
        #expect(try usage.result["repackableAtMost"] as? Int ?? 0 > 1_200_000)
        let planned = try box.repository("collect", ["--dry-run"])
        let said = try #require(try planned.result["repackable"] as? Int)
        #expect((850_000..<1_000_000).contains(said), "\(said)")
        #expect(try planned.events("repack").map { $0["fate"] as? String } == ["moves"])
        #expect(try box.repository("collect", ["--dry-run", "--repack-below", "0"]).result["repackable"] == nil)
        let words = try box.repository("collect", ["--dry-run", "--text"])
        #expect(words.output.contains("in 1 pack: reclaimable by repacking\n"), "\(words.output)")
        let done = try box.repository("collect").result
        #expect(done["repacked"] as? Int == 1)
        // Net of what was written anew it is about what the dry run said.
        let net = (done["bytes"] as? Int ?? 0) - (done["rewritten"] as? Int ?? 0)
        #expect((850_000..<1_050_000).contains(net) && done["rewritten"] as? Int ?? 0 > 250_000, "\(done)")
        let after = try box.repository("collect", ["--dry-run"])
        #expect(try after.result["repackable"] as? Int == 0)
    }

    @Test func withoutThePassphraseItIsSaidWhatHelps() throws {
        let (box, ids) = try laden("keyless")
        try box.repository("forget", [ids[0]])
        let refused = try box.run(["repository", "collect", "--vault", box("vault")])
        #expect(refused.exit == .code(3), "\(refused.errors)")
        #expect(refused.errors.contains("Give the repository's passphrase"))
        let copied = try box.run(["repository", "copy", "--from", box("vault"), "--to", box("copy")])
        #expect(copied.exit == .code(0), "\(copied.errors)")
        #expect(try box.run(["repository", "collect", "--vault", box("copy")]).exit == .code(0))
    }

    @Test func oneIsForgottenByItsID() throws {
        let (box, ids) = try laden("forget-id")
        try box.repository("forget", [String(ids[0].prefix(10))])
        let left = try box.repository("snapshots").objects.compactMap { $0["id"] as? String }
        #expect(left == Array(ids.dropFirst()))
        try box.repository("forget", [ids[0]], exits: 4)
        try box.repository("forget", [], exits: 2)
        try box.repository("forget", ["--keep-last", "0"], exits: 2)
        try box.repository("forget", ["--keep-last", "1", ids[1]], exits: 2)
    }

    /// A tmpfs that backups fill until they are refused is emptied by forget and collect, and takes backups again.
    @Test func aFullVaultIsEmptied() throws {
        let box = try Toolbox("full")
        try #require(mkdir(box("vault"), 0o700) == 0)
        guard mount("tmpfs", box("vault"), "tmpfs", 0, "size=24m") == 0 else { return }  // needs root
        defer { umount2(box("vault"), 2) }
        try box.repository("init")
        var seed = Seed(6)
        var ids: [String] = []
        for _ in 0..<20 {
            try box.write(seed.bytes(3_000_000), "data/file")
            let run = try box.run(box.arguments("backup", ["--name", "pc", box("data")]))
            guard run.exit == .code(0) else {
                #expect(run.exit == .code(6))
                #expect(run.errors.contains("reserve"))
                break
            }
            ids.append(try #require(try run.result["id"] as? String))
        }
        #expect(ids.count > 3 && ids.count < 9)
        try box.repository("forget", ["--keep-last", "1", "--yes"])
        let collected = try box.repository("collect")
        #expect(try collected.result["bytes"] as? Int ?? 0 > 9_000_000)
        let again = try box.repository("backup", ["--name", "pc", box("data")])
        let id = try #require(try again.result["id"] as? String)
        try box.repository("restore", [id, "--target", box("restored")])
        #expect(try box.differences("data", "restored") == [])
    }
}
