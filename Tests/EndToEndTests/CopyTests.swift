import Foundation
import Platform
import Support
import Testing

/// The offsite copy: made without a key, whole, and good enough to restore from alone.
@Suite struct CopyTests {
    private func made() throws -> Toolbox {
        let toolbox = try Toolbox()
        var seed = Seed(31)
        try toolbox.write(seed.bytes(3_000_000), "source/one")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        return toolbox
    }

    @discardableResult
    private func copy(
        _ toolbox: Toolbox, from: String = "vault", to: String = "copy", exits code: Int32 = 0,
        at location: SourceLocation = #_sourceLocation
    ) throws -> Toolbox.Run {
        let run = try toolbox.run(["repository", "copy", "--from", toolbox(from), "--to", toolbox(to)])
        #expect(run.exit == .code(code), "\(run.errors)", sourceLocation: location)
        return run
    }

    @Test func aCopyIsMadeWithoutAPassphraseAndRestoresAlone() throws {
        let toolbox = try made()
        let first = try copy(toolbox)
        #expect((try first.result["copied"] as? [Any])?.count == 1)
        #expect((try first.result["bytesSent"] as? Int ?? 0) > 3_000_000)
        try FileManager.default.removeItem(atPath: toolbox("vault"))
        try toolbox.repository("check", ["--read-data"], vault: "copy")
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")], vault: "copy")
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func aSecondCopySendsOnlyWhatIsNew() throws {
        let toolbox = try made()
        try copy(toolbox)
        let nothing = try copy(toolbox)
        #expect(try nothing.result["bytesSent"] as? Int == 0)
        #expect(try nothing.result["alreadyThere"] as? Int == 1)
        try toolbox.write("new", "source/two")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let second = try copy(toolbox)
        #expect((try second.result["copied"] as? [Any])?.count == 1)
        #expect((try second.result["bytesSent"] as? Int ?? .max) < 200_000)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")], vault: "copy")
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func theCopyHealsARestoreFromADamagedVault() throws {
        let toolbox = try made()
        try copy(toolbox)
        for folder in ["packs", "manifests", "sets", "envelopes", "slots"] {
            for object in toolbox.objects(folder) { try toolbox.damage(object) }
        }
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target"), "--also", toolbox("copy")])
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func whatIsDamagedIsNotCopied() throws {
        let toolbox = try made()
        try toolbox.write("new", "source/two")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let ids = try toolbox.repository("snapshots").objects.compactMap { $0["id"] as? String }
        // The newest manifest alone: the older snapshot is whole.
        let manifest = try #require(toolbox.objects("manifests").first { $0.contains(ids[1]) })
        try toolbox.damage(manifest)
        let run = try copy(toolbox, exits: 5)
        #expect(try run.result["copied"] as? [String] == [ids[0]])
        #expect(try run.result["notCopied"] as? [String] == [ids[1]])
        #expect(try toolbox.repository("snapshots", vault: "copy").objects.count == 1)
        try toolbox.repository("check", ["--read-data"], vault: "copy")
    }

    @Test func theOwnerCopiesBackIntoTheVaultThatInitMade() throws {
        let toolbox = try made()
        try copy(toolbox)
        try toolbox.write("new", "source/two")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")], vault: "copy")
        let refused = try copy(toolbox, from: "copy", to: "vault", exits: 3)
        #expect(refused.errors.contains("site key"))
        let both = ["repository", "copy", "--from", toolbox("copy"), "--to", toolbox("vault")]
        try toolbox.write("wrong\n", "wrong passphrase")
        #expect(try toolbox.run(both + ["--passphrase-file", toolbox("wrong passphrase")]).exit == .code(3))
        #expect(try toolbox.repository("snapshots").objects.count == 1)
        let run = try toolbox.run(both + ["--passphrase-file", toolbox("passphrase")])
        #expect(run.exit == .code(0), "\(run.errors)")
        #expect((try run.result["copied"] as? [Any])?.count == 1)
        try toolbox.repository("check", ["--read-data"])
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        // The variable serves as well; and the copier's own vault needs neither.
        let again = try toolbox.run(both, environment: ["BREAKWATER_PASSPHRASE_FILE": toolbox("passphrase")])
        #expect(again.exit == .code(0), "\(again.errors)")
        try copy(toolbox)
    }

    @Test func vaultsThatDoNotBelongTogetherAreRefused() throws {
        let toolbox = try made()
        try toolbox.repository("init", vault: "stranger")
        try copy(toolbox, to: "stranger", exits: 3)
        try copy(toolbox, to: "vault", exits: 3)
        try copy(toolbox, from: "none", exits: 4)
        let usage = try toolbox.run(["repository", "copy", "--from", toolbox("vault")])
        #expect(usage.exit == .code(2))
    }
}
