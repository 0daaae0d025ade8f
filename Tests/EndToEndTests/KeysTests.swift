import Foundation
import Platform
import Support
import Testing

/// The keys commands, by the program itself.
@Suite struct KeysTests {
    private func made() throws -> Toolbox {
        let toolbox = try Toolbox()
        var seed = Seed(47)
        try toolbox.write(seed.bytes(300_000), "source/one")
        try toolbox.write("another passphrase\n", "other")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        return toolbox
    }

    @discardableResult
    private func keys(
        _ toolbox: Toolbox, _ verb: String, _ more: [String] = [], vault: String = "vault",
        passphrase: String = "passphrase", exits code: Int32 = 0, at location: SourceLocation = #_sourceLocation
    ) throws -> Toolbox.Run {
        let run = try toolbox.run(
            ["repository", "keys", verb, "--vault", toolbox(vault), "--passphrase-file", toolbox(passphrase)] + more)
        #expect(run.exit == .code(code), "\(verb): \(run.errors)", sourceLocation: location)
        return run
    }

    private func restores(_ toolbox: Toolbox, vault: String = "vault") throws {
        let target = "target-" + Hex.encode(Surroundings.system.random(4))
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox(target)], vault: vault)
        #expect(try toolbox.differences("source", target) == [])
    }

    @Test func passphrasesComeAndGo() throws {
        let toolbox = try made()
        let added = try keys(toolbox, "add-passphrase", ["--new-passphrase-file", toolbox("other")])
        let slot = try #require(try added.result["slot"] as? String)
        let slots = try keys(toolbox, "list").events("slot")
        #expect(slots.count == 2 && slots.allSatisfy { $0["copies"] as? Int == 2 })
        #expect(slots.filter { $0["opened"] as? Bool == true }.count == 1)
        let own = try #require(slots.first { $0["opened"] as? Bool == true }?["slot"] as? String)
        try keys(toolbox, "remove", [own], passphrase: "other")
        try toolbox.repository("snapshots", exits: 3)
        try keys(toolbox, "remove", [slot], passphrase: "other", exits: 3)
        try keys(toolbox, "remove", ["zz"], passphrase: "other", exits: 4)
        try keys(
            toolbox, "change-passphrase", ["--new-passphrase-file", toolbox("passphrase")], passphrase: "other")
        try restores(toolbox)
        #expect(toolbox.objects("slots").count == 2)
    }

    @Test func aWritersFileBacksUpAndReadsNothing() throws {
        let toolbox = try made()
        let out = ["--out", toolbox("writer"), "--name", "laptop"]
        try keys(toolbox, "issue-writer", out)
        #expect(
            try FileManager.default.attributesOfItem(atPath: toolbox("writer"))[.posixPermissions] as? Int == 0o600)
        try keys(toolbox, "issue-writer", out, exits: 3)
        func asWriter(_ verb: String, _ more: [String], exits code: Int32) throws {
            let run = try toolbox.run(
                ["repository", verb, "--vault", toolbox("vault"), "--writer-file", toolbox("writer")] + more)
            #expect(run.exit == .code(code), "\(verb): \(run.errors)")
            if code == 3 { #expect(run.errors.contains("writer")) }
            if verb == "backup", code == 3 { #expect(run.errors.contains("revoked")) }
        }
        let backup = ["--name", "desk", toolbox("source")]
        try toolbox.write("new", "source/two")
        try asWriter("backup", backup, exits: 0)
        for (verb, more) in [
            ("snapshots", []), ("list", ["latest:desk"]), ("check", []),
            ("restore", ["latest:desk", "--target", toolbox("none")]),
        ] { try asWriter(verb, more, exits: 3) }
        try restores(toolbox)
        let second = try keys(toolbox, "issue-writer", ["--out", toolbox("second"), "--name", "laptop"])
        #expect(second.errors.contains("has made 1 snapshot here"), "\(second.errors)")
        let other = try keys(toolbox, "issue-writer", ["--out", toolbox("third"), "--name", "desktop"])
        #expect(!other.errors.contains("has made"), "\(other.errors)")
        try keys(toolbox, "revoke", ["laptop"])
        #expect(
            try keys(toolbox, "list").events("writer").filter { $0["revoked"] as? Bool == true }.map {
                $0["snapshots"] as? Int
            } == [1])
        try asWriter("backup", backup, exits: 3)
        try keys(toolbox, "issue-writer", ["--out", toolbox("again"), "--name", "laptop"], exits: 3)
        try restores(toolbox)
    }

    @Test func aWriterWhomNobodyKnowsIsRevokedOnlyOnRequest() throws {
        let toolbox = try made()
        let records = toolbox.objects("log")
        for name in ["labtop", String(repeating: "a", count: 32)] {
            let refused = try keys(toolbox, "revoke", [name], exits: 4)
            #expect(refused.errors.contains(name) && refused.errors.contains("--unseen"), "\(refused.errors)")
        }
        #expect(toolbox.objects("log") == records)
        // A file that was stolen before it was ever used.
        try keys(toolbox, "issue-writer", ["--out", toolbox("writer"), "--name", "laptop"])
        try keys(toolbox, "revoke", ["laptop", "--unseen"])
        let run = try toolbox.run([
            "repository", "backup", "--vault", toolbox("vault"), "--writer-file", toolbox("writer"), "--name", "desk",
            toolbox("source"),
        ])
        #expect(run.exit == .code(3) && run.errors.contains("revoked"), "\(run.errors)")
        // Again, and nothing is left to do.
        try keys(toolbox, "revoke", ["laptop"])
    }

    @Test func readerKeysAreRotatedAndRetiredInBothVaults() throws {
        let toolbox = try made()
        let copied = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")])
        #expect(copied.exit == .code(0))
        let also = ["--also", toolbox("copy")]
        #expect(try keys(toolbox, "rotate", also).result["generation"] as? Int == 2)
        try toolbox.write("new", "source/two")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try keys(toolbox, "retire", also)
        try restores(toolbox)
        #expect(
            try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")]).exit
                == .code(0))
        try restores(toolbox, vault: "copy")
        try toolbox.repository("check", ["--read-data"], vault: "copy")
        #expect(
            try keys(toolbox, "list", vault: "copy").events("generation").compactMap { $0["standing"] as? String }
                == ["retired", "newest"])
    }

    @Test func whatIsDestroyedNeverOpensAtEitherSite() throws {
        let toolbox = try made()
        func copy() throws -> Toolbox.Run {
            try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")])
        }
        #expect(try copy().exit == .code(0))
        try keys(toolbox, "issue-writer", ["--out", toolbox("writer"), "--name", "laptop"])
        let id = try #require(try keys(toolbox, "list").events("repository").first?["repository"] as? String)
        try keys(toolbox, "destroy", exits: 3)
        try keys(toolbox, "destroy", ["--yes-destroy", String(id.dropLast(2)) + "zz"], exits: 3)
        try restores(toolbox)
        let done = try keys(toolbox, "destroy", ["--yes-destroy", id])
        #expect((try done.result["confirmed"] as? [Any])?.count == 1)
        // Again, and nothing is left to do; the copy opens until it learns of it.
        try keys(toolbox, "destroy", ["--yes-destroy", id])
        try restores(toolbox, vault: "copy")
        let refused = try copy()
        #expect(refused.exit == .code(3) && refused.errors.contains("destroyed"))
        for vault in ["vault", "copy"] {
            #expect(toolbox.objects("slots", vault: vault) == [])
            for (verb, more) in [
                ("snapshots", []), ("list", ["latest:desk"]), ("check", []),
                ("restore", ["latest:desk", "--target", toolbox("none")]),
                ("backup", ["--name", "desk", toolbox("source")]),
            ] {
                let run = try toolbox.repository(verb, more, vault: vault, exits: 3)
                #expect(run.errors.contains("destroyed"), "\(verb): \(run.errors)")
            }
            let writer = try toolbox.run(
                [
                    "repository", "backup", "--vault", toolbox(vault), "--writer-file", toolbox("writer"), "--name",
                    "desk", toolbox("source"),
                ])
            #expect(writer.exit == .code(3) && writer.errors.contains("destroyed"))
            // Without a passphrase it is said as well: none would help.
            for (verb, more) in [("snapshots", []), ("list", ["latest:desk"])] {
                let run = try toolbox.run(["repository", verb, "--vault", toolbox(vault)] + more)
                #expect(run.exit == .code(3) && run.errors.contains("destroyed"), "\(verb): \(run.errors)")
            }
            // What remains is still checked, without a key, and collected, whatever passphrase is at hand.
            #expect(try toolbox.run(["repository", "check", "--vault", toolbox(vault)]).exit == .code(0))
            try toolbox.repository("collect", ["--dry-run"], vault: vault)
            try toolbox.repository("collect", vault: vault)
            #expect(toolbox.objects("packs", vault: vault) == [])
        }
    }
}
