import Foundation
import Platform
import Support
import Testing

/// A repository is made where nothing is, and nowhere else.
@Suite struct InitTests {
    private func refusal(_ toolbox: Toolbox, _ vault: String) throws -> String {
        let run = try toolbox.repository("init", vault: vault, exits: 3)
        let error = try #require(try run.events("error").last)
        #expect(error["code"] as? String == "refused")
        #expect((error["advice"] as? String)?.isEmpty == false)
        return run.errors
    }

    @Test func aRepositoryIsNotMadeOverAnother() throws {
        let toolbox = try Toolbox()
        try toolbox.repository("init")
        let before = toolbox.objects("")
        #expect(try refusal(toolbox, "vault").contains("holds a repository already"))
        #expect(toolbox.objects("") == before)
    }

    @Test(arguments: ["photo.jpg", ".hidden", "log", "tmp"])
    func aFolderWithForeignFilesIsRefusedAndLeftAsItIs(name: String) throws {
        let toolbox = try Toolbox()
        try toolbox.makeDirectory("vault")
        try toolbox.write("mine", "vault/\(name)")
        #expect(try refusal(toolbox, "vault").contains("not empty: it holds \(name)"))
        #expect(toolbox.objects("") == ["/\(name)"])
    }

    /// There is no such server, and no credentials for it: nobody is asked.
    @Test func aLockedBucketWithoutATermIsRefusedBeforeAnybodyIsAsked() throws {
        let toolbox = try Toolbox()
        let run = try toolbox.run([
            "repository", "init", "--vault", "s3://breakwater/x?endpoint=https://127.0.0.1:1&locked=breakwater-locked",
            "--passphrase-file", toolbox("passphrase"),
        ])
        #expect(run.exit == .code(2) && run.errors.contains("does not say for how long"))
        #expect(try run.events("error").first?["code"] as? String == "usage")
    }

    /// A copy that comes to nothing takes away the folders that it made, and leaves one that stood as it was.
    @Test func aCopyThatFailsBeforeItPutsLeavesEverythingAsItWas() throws {
        let toolbox = try Toolbox()
        try toolbox.repository("init")
        for slot in toolbox.objects("slots") { try FileManager.default.removeItem(atPath: toolbox("vault/" + slot)) }
        try toolbox.makeDirectory("stood/tmp")
        try toolbox.makeDirectory("empty")
        let places: [(String, [String]?)] = [
            ("empty", []), ("stood", ["probe", "tmp"]), ("new", nil), ("deeper/down", nil),
        ]
        for (place, left) in places {
            let run = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox(place)])
            #expect(run.exit == .code(6) && run.errors.contains("no key slot"), "\(run.errors)")
            #expect((try? FileManager.default.contentsOfDirectory(atPath: toolbox(place)))?.sorted() == left)
        }
        #expect(!FileManager.default.fileExists(atPath: toolbox("deeper")))
    }

    /// There is no such module, so nothing can be sealed under its key.
    @Test func anInitThatFailsTakesAwayWhatItMade() throws {
        let toolbox = try Toolbox()
        let key = "pkcs11:token=T;object=K?module-path=\(toolbox("none.so"))&pin-source=file:\(toolbox("passphrase"))"
        let run = try toolbox.run(["repository", "init", "--vault", toolbox("deeper/vault"), "--cmk", key])
        #expect(run.exit != .code(0))
        #expect(!FileManager.default.fileExists(atPath: toolbox("deeper")), "\(run.errors)")
    }

    /// What lies in a vault and is none of its objects would be a stranger there.
    @Test func nothingIsMadeInAVault() throws {
        let toolbox = try Toolbox()
        try toolbox.write("content", "source/one")
        try toolbox.write("image", "image")
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try toolbox.repository("backup", ["--name", "pc", "--disk", toolbox("image")])
        try FileManager.default.createSymbolicLink(atPath: toolbox("link"), withDestinationPath: toolbox("vault/packs"))
        let before = try toolbox.folders("vault")
        func isRefused(_ run: Toolbox.Run, _ what: String) {
            let isNamed = run.errors.contains("\(toolbox("vault")), which is a vault")
            #expect(run.exit == .code(3) && isNamed, "\(what): \(run.errors)")
        }
        for place in ["vault", "vault/inner/deep", "vault/packs/inner", "link/inner"] {
            if place != "vault" {
                isRefused(try toolbox.repository("init", vault: place, exits: 3), "init")
                let copy = ["repository", "copy", "--from", toolbox("vault"), "--to", toolbox(place)]
                isRefused(try toolbox.run(copy), "copy")
            }
            for (verb, more) in [
                ("restore", ["latest:desk", "--target", toolbox(place)]),
                ("restore", ["latest:pc", "--disk", toolbox(place)]),
                ("export", ["latest:desk", "--tar", toolbox(place)]),
                ("export", ["latest:pc", "--disk", toolbox(place)]),
            ] { isRefused(try toolbox.repository(verb, more, exits: 3), verb) }
        }
        // Through a part that is not there, which would be made on the way.
        for place in ["lacking/../vault/inner", "lacking/deep/../../vault/inner", "lacking/../link/inner"] {
            isRefused(try toolbox.repository("init", vault: place, exits: 3), "init")
        }
        #expect(!FileManager.default.fileExists(atPath: toolbox("lacking")))
        #expect(try toolbox.folders("vault") == before)
        // One that lost its genesis is still one.
        let genesis = toolbox("vault/log/0000000000000000")
        try FileManager.default.moveItem(atPath: genesis, toPath: toolbox("genesis"))
        isRefused(try toolbox.repository("init", vault: "vault/inner", exits: 3), "init")
        try FileManager.default.moveItem(atPath: toolbox("genesis"), toPath: genesis)
        #expect(try toolbox.folders("vault") == before)
        // Folders called as a vault's make none.
        try toolbox.write("text", "project/log/0000000000000001")
        try toolbox.write("text", "project/packs/one")
        try toolbox.repository("init", vault: "lacking/../project/vault")
        #expect(!FileManager.default.fileExists(atPath: toolbox("lacking")))
        try toolbox.repository("check", vault: "project/vault")
        // Beside it, and again into a vault that is one, everything goes.
        for _ in 0..<2 {
            let run = try toolbox.run([
                "repository", "copy", "--from", toolbox("vault"), "--to", toolbox("vaults/copy"),
            ])
            #expect(run.exit == .code(0), "\(run.errors)")
        }
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("vaults/target")])
        try toolbox.repository("check")
    }

    @Test func whatANewFileSystemOrAnInterruptedInitLeftIsTolerated() throws {
        let toolbox = try Toolbox()
        try toolbox.makeDirectory("vault/lost+found")
        try toolbox.makeDirectory("vault/tmp")
        try toolbox.repository("init")
        try toolbox.repository("init", vault: "deeper/down")
        try toolbox.repository("check")
    }
}
