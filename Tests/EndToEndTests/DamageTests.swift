import Foundation
import Platform
import Support
import Testing

/// One bit turned in a vault: named, and never restored as if nothing were.
@Suite struct DamageTests {
    /// Two vaults of the same bytes, the second a copy of the directory, of one tree of some packs.
    private func made() throws -> Toolbox {
        let toolbox = try Toolbox()
        var seed = Seed(11)
        for number in 0..<4 { try toolbox.write(seed.text(400_000), "source/\(number)") }
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try FileManager.default.copyItem(atPath: toolbox("vault"), toPath: toolbox("other"))
        return toolbox
    }

    @Test(arguments: ["packs", "manifests", "sets", "envelopes"])
    func whatIsDamagedIsNamedAndTakenFromTheOtherVault(folder: String) throws {
        let toolbox = try made()
        let id = try toolbox.snapshot("desk")
        // The last pack in order may hold data or directories: each is hit in turn.
        for object in toolbox.objects(folder) {
            try toolbox.damage(object)
            let check = try toolbox.repository("check", ["--read-data"], exits: 6)
            let damaged = try check.events("damaged")
            #expect(damaged.map { $0["object"] as? String } == [object])
            #expect(damaged.first?["snapshots"] as? [String] == [id])
            let aided = try toolbox.repository("check", ["--read-data", "--also", toolbox("other")], exits: 6)
            #expect(
                (try aided.events("damaged").first?["recovery"] as? String)?.hasSuffix("/other has it whole") == true)
            let text = try toolbox.repository("check", ["--read-data", "--text"], exits: 6)
            #expect(text.output.contains(object))
            // Another vault is named where it is the only help.
            #expect(text.output.contains("--also") == (folder != "sets"), "\(text.output)")
            #expect(text.errors.contains("repair --from") == (folder != "sets"), "\(text.errors)")
            #expect(text.output.contains(String(id.prefix(12))))
            let alone = try toolbox.run(
                toolbox.arguments("restore", [id, "--target", toolbox("alone-\(folder)")]))
            if folder == "sets" {
                // Nothing of it is lost: its packs are found by their sessions.
                #expect(alone.exit == .code(0) && alone.errors.contains(object), "\(alone.errors)")
                #expect(try toolbox.differences("source", "alone-sets") == [])
            } else {
                #expect(alone.exit == .code(5) || alone.exit == .code(6), "\(alone.errors)")
            }
            let name = "target-\(Hex.encode(Surroundings.system.random(4)))"
            try toolbox.repository("restore", [id, "--target", toolbox(name), "--also", toolbox("other")])
            #expect(try toolbox.differences("source", name) == [])
            try toolbox.damage(object)
            try? FileManager.default.removeItem(atPath: toolbox("alone-\(folder)"))
        }
        try toolbox.repository("check", ["--read-data"])
    }

    @Test(arguments: ["segments", "slots", "log"])
    func whatIsThereTwiceIsNamedAndNothingIsLost(folder: String) throws {
        let toolbox = try made()
        for (number, object) in toolbox.objects(folder).enumerated() {
            try toolbox.damage(object)
            let check = try toolbox.repository("check", ["--read-data"], exits: 6)
            #expect(try check.events("damaged").map { $0["object"] as? String } == [object])
            try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target-\(number)")])
            #expect(try toolbox.differences("source", "target-\(number)") == [])
            try toolbox.damage(object)
        }
        try toolbox.repository("check", ["--read-data"])
    }

    @Test func withEverySlotDamagedTheOtherVaultOpensIt() throws {
        let toolbox = try made()
        for slot in toolbox.objects("slots") { try toolbox.damage(slot) }
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("alone")], exits: 6)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target"), "--also", toolbox("other")])
        #expect(try toolbox.differences("source", "target") == [])
        let check = try toolbox.repository("check", exits: 6)
        #expect(try check.events("damaged").count == toolbox.objects("slots").count)
    }

    @Test func withNoSlotLeftANewOneIsPutFromTheOtherVault() throws {
        let toolbox = try made()
        let copied = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")])
        #expect(copied.exit == .code(0), "\(copied.errors)")
        for slot in toolbox.objects("slots") { try FileManager.default.removeItem(atPath: toolbox("vault/" + slot)) }
        for (verb, more) in [("snapshots", []), ("forget", ["--keep-last", "1"])] {
            let errors = try toolbox.repository(verb, more, exits: 3).errors
            #expect(errors.contains("keys add-passphrase --vault OTHER --also \(toolbox("vault"))"))
        }
        // No damage, since a vault may be made so: a warning, with what helps.
        for (verb, more) in [("check", []), ("repair", []), ("repair", ["--from", toolbox("copy")])] {
            let run = try toolbox.run(["repository", verb, "--vault", toolbox("vault"), "--text"] + more)
            #expect(run.exit == .code(0) && run.errors.contains("no key slot is left"), "\(verb): \(run.errors)")
            #expect(run.errors.contains("keys add-passphrase --vault OTHER --also \(toolbox("vault"))"))
            #expect(!run.output.contains("Nothing is damaged."))
        }
        #expect(toolbox.objects("slots") == [])
        let added = try toolbox.run([
            "repository", "keys", "add-passphrase", "--vault", toolbox("copy"), "--also", toolbox("vault"),
            "--passphrase-file", toolbox("passphrase"), "--new-passphrase-file", toolbox("passphrase"),
        ])
        #expect(added.exit == .code(0), "\(added.errors)")
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func anOlderSnapshotIsNotPassedOffAsTheLatest() throws {
        let toolbox = try made()
        try toolbox.write("new", "source/new")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let ids = try toolbox.repository("snapshots").objects.compactMap { $0["id"] as? String }
        try toolbox.damage(try #require(toolbox.objects("manifests").first { $0.contains(ids[1]) }))
        let run = try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")], exits: 6)
        #expect(run.errors.contains(String(ids[0].prefix(12))))
        let listed = try toolbox.repository("snapshots", exits: 5)
        #expect(try listed.objects.first?["id"] as? String == ids[0])
        try toolbox.repository("restore", [ids[0], "--target", toolbox("target")])
    }

    @Test func aMissingPackIsNamed() throws {
        let toolbox = try made()
        let pack = try #require(toolbox.objects("packs").first)
        try FileManager.default.removeItem(atPath: toolbox("vault") + "/" + pack)
        let check = try toolbox.repository("check", exits: 6)
        #expect(try check.events("damaged").contains { $0["object"] as? String == pack })
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target"), "--also", toolbox("other")])
        #expect(try toolbox.differences("source", "target") == [])
    }
}
