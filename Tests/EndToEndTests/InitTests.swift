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

    @Test func whatANewFileSystemOrAnInterruptedInitLeftIsTolerated() throws {
        let toolbox = try Toolbox()
        try toolbox.makeDirectory("vault/lost+found")
        try toolbox.makeDirectory("vault/tmp")
        try toolbox.repository("init")
        try toolbox.repository("init", vault: "deeper/down")
        try toolbox.repository("check")
    }
}
