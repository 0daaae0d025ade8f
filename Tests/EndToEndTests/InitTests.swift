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

    /// A copy that comes to nothing leaves an empty folder as it was, and one in which something lies likewise.
    @Test func aCopyThatFailsBeforeItPutsLeavesTheFolderEmpty() throws {
        let toolbox = try Toolbox()
        try toolbox.repository("init")
        for slot in toolbox.objects("slots") { try FileManager.default.removeItem(atPath: toolbox("vault/" + slot)) }
        try toolbox.makeDirectory("stood/tmp")
        for (place, left) in [("new", []), ("deeper/down", []), ("stood", ["probe", "tmp"])] {
            let run = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox(place)])
            #expect(run.exit == .code(6) && run.errors.contains("no key slot"), "\(run.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: toolbox(place)).sorted() == left)
        }
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
