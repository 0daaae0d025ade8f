import Foundation
import Glibc
import Platform
import Support
import Testing

/// A golden template in a repository of the provider, and a desktop of a tenant that is cloned from it.
@Suite struct TemplateTests {
    private static let block = 65536

    private func boxes() throws -> (Toolbox, base: [String]) {
        let box = try Toolbox("templates")
        try box.write("another passphrase\n", "golden-passphrase")
        var seed = Seed(5)
        var image = seed.bytes(96 * Self.block)
        try box.write(image, "template.raw")
        image.replaceSubrange(7 * Self.block..<8 * Self.block, with: seed.bytes(Self.block))
        try box.write(image, "clone.raw")
        try box.repository("init")
        try golden(box, "init")
        try golden(box, "backup", ["--name", "golden", "--disk", box("template.raw")])
        return (box, ["--base", box("golden"), "--base-passphrase-file", box("golden-passphrase")])
    }

    @discardableResult
    private func golden(_ box: Toolbox, _ verb: String, _ more: [String] = []) throws -> Toolbox.Run {
        let run = try box.run(
            ["repository", verb, "--vault", box("golden"), "--passphrase-file", box("golden-passphrase")] + more)
        #expect(run.exit == .code(0), "\(run.errors)")
        return run
    }

    @Test func aCloneIsTheDifferenceAndComesBackWithBoth() throws {
        let (box, base) = try boxes()
        let disk = ["--name", "desk", "--disk", box("clone.raw")]
        try box.repository("backup", disk + ["--base", box("golden")], exits: 2)
        try box.repository("backup", ["--name", "desk", box("passphrase")] + base, exits: 2)
        try box.repository("backup", disk + base + ["--base-snapshot", "latest:nobody"], exits: 4)
        let result = try box.repository("backup", disk + base + ["--base-snapshot", "latest:golden"]).result
        #expect(result["bytesInTemplate"] as? Int == 95 * Self.block)
        #expect(try #require(result["storedBytes"] as? Int) < 110_000)

        // By either kind of reading, and not without the base.
        for (verb, out) in [("restore", "a.raw"), ("export", "b.raw")] {
            let alone = try box.repository(verb, ["latest:desk", "--disk", box(out)], exits: 4)
            #expect(alone.errors.contains("--base"))
            #expect(access(box(out), F_OK) != 0)
            try box.repository(verb, ["latest:desk", "--disk", box(out)] + base)
            #expect(try box.bytes(of: out) == box.bytes(of: "clone.raw"))
        }
        #expect(try box.repository("snapshots").objects.count == 1)
        let alone = try box.repository("check", ["--read-data"])
        #expect(try alone.events("elsewhere").first?["bytes"] as? Int == 95 * Self.block)
        #expect(try box.repository("check", ["--read-data"] + base).events("elsewhere").isEmpty)
        try box.repository("check", ["--keyless"])
        // Neither log has the other's names.
        for vault in ["vault", "golden"] {
            for record in box.objects("log", vault: vault) {
                let bytes = String(decoding: try box.bytes(of: vault + "/" + record), as: UTF8.self)
                #expect(!bytes.contains("golden") && !bytes.contains("desk"))
            }
        }

        // A machine that can only write leans as well.
        let keys = ["--vault", box("vault"), "--passphrase-file", box("passphrase")]
        let issued = try box.run(
            ["repository", "keys", "issue-writer"] + keys + ["--name", "agent", "--out", box("writer")])
        #expect(issued.exit == .code(0))
        let written = try box.run(
            [
                "repository", "backup", "--vault", box("vault"), "--writer-file", box("writer"), "--name", "other",
                "--disk", box("clone.raw"),
            ] + base)
        #expect(try written.result["bytesInTemplate"] as? Int == 95 * Self.block)

        // To the other site: only where the template is.
        func copy(_ more: [String], exits code: Int32) throws {
            let run = try box.run(["repository", "copy", "--from", box("vault"), "--to", box("offsite")] + more)
            #expect(run.exit == .code(code), "\(run.errors)")
        }
        try copy([], exits: 5)
        let there = try box.run(["repository", "copy", "--from", box("golden"), "--to", box("golden-offsite")])
        #expect(there.exit == .code(0))
        try copy(["--base", box("golden-offsite")], exits: 0)
        let offsite = ["--base", box("golden-offsite"), "--base-passphrase-file", box("golden-passphrase")]
        try box.repository("restore", ["latest:desk", "--disk", box("c.raw")] + offsite, vault: "offsite")
        #expect(try box.bytes(of: "c.raw") == box.bytes(of: "clone.raw"))

        // A damaged template is named, and nothing is left of the image.
        let pack = try #require(box.objects("packs", vault: "golden-offsite").first)
        try box.damage(pack, vault: "golden-offsite")
        let hurt = try box.repository(
            "restore", ["latest:desk", "--disk", box("d.raw")] + offsite, vault: "offsite", exits: 6)
        #expect(hurt.errors.contains("template") && hurt.errors.contains("golden-offsite"))
        // Once, and with one full stop.
        #expect(hurt.errors.components(separatedBy: "is damaged").count == 2 && !hurt.errors.contains(".. "))
        #expect(access(box("d.raw"), F_OK) != 0)

        // The template stays while the clone is there, and goes after it.
        try golden(box, "forget", [try #require(golden(box, "snapshots").objects.first?["id"] as? String), "--yes"])
        try golden(box, "collect")
        try box.repository("restore", ["latest:desk", "--disk", box("e.raw")] + base)
        #expect(try box.bytes(of: "e.raw") == box.bytes(of: "clone.raw"))
        for more in [["--dry-run"], []] {
            #expect(try box.repository("collect", base + more).result["templatesReleased"] as? [String] == [])
        }
        try box.repository("forget", [box.snapshot("desk"), box.snapshot("other"), "--yes"])
        // A dry run names what goes, and lets go of nothing.
        let log = box.objects("log", vault: "golden")
        let released = try #require(
            try box.repository("collect", base + ["--dry-run"]).result["templatesReleased"] as? [String])
        #expect(released.count == 1)
        let said = try box.repository("collect", base + ["--dry-run", "--text"]).output
        #expect(said.contains("Would let go of template \(released[0].prefix(12))"))
        #expect(box.objects("log", vault: "golden") == log)
        #expect(try box.repository("collect", base).result["templatesReleased"] as? [String] == released)
        try golden(box, "collect")
        #expect(box.objects("packs", vault: "golden").isEmpty)
    }

    @Test func whoeverDestroysABaseIsToldWhoLeansOnIt() throws {
        let (box, base) = try boxes()
        func destroy(_ more: [String], exits code: Int32) throws -> Toolbox.Run {
            let keys = ["--vault", box("golden"), "--passphrase-file", box("golden-passphrase")]
            let run = try box.run(["repository", "keys", "destroy"] + keys + more)
            #expect(run.exit == .code(code), "\(run.errors)")
            return run
        }
        // Nobody does yet; nobody is there to be asked either.
        #expect(!(try destroy([], exits: 3).errors.contains("lean")))
        try box.repository("backup", ["--name", "desk", "--disk", box("clone.raw")] + base)
        let id = try #require(
            try box.run([
                "repository", "keys", "list", "--vault", box("vault"), "--passphrase-file", box("passphrase"),
            ]).events("repository").first?["repository"] as? String)
        let asked = try destroy(["--text"], exits: 3).errors
        #expect(asked.contains("warning: repository \(id) may lean on 1 template"))
        let (told, refused) = (asked.range(of: "may lean"), asked.range(of: "to be asked"))
        #expect(try #require(told).upperBound < #require(refused).lowerBound)
        let own = try #require(
            try box.run([
                "repository", "keys", "list", "--vault", box("golden"), "--passphrase-file", box("golden-passphrase"),
            ]).events("repository").first?["repository"] as? String)
        let done = try destroy(["--json", "--yes-destroy", own], exits: 0)
        #expect(done.errors.contains(#""event":"warning""#) && done.errors.contains("lose what they lean on"))
        #expect(try done.result["tenants"] as? [String] == [id])
        // In a vault where the word stands there is nobody left to name.
        #expect(!(try destroy(["--yes-destroy", own], exits: 0).errors.contains("lean")))
    }

    @Test func aRepositoryOfAnEarlierVersionDoesNotLean() throws {
        let (box, base) = try boxes()
        let old = GoldenTests.fixtures.appending(path: "v1")
        try FileManager.default.copyItem(atPath: old.appending(path: "vault").path, toPath: box("old"))
        let run = try box.run(
            [
                "repository", "backup", "--vault", box("old"), "--passphrase-file",
                old.appending(path: "passphrase").path, "--name", "desk", "--disk", box("clone.raw"),
            ] + base)
        #expect(run.exit == .code(3))
        #expect(run.errors.contains("before repositories could lean"))
    }
}
