import Foundation
import Platform
import SiteAgent
import Support
import Testing

@Suite struct FolderTests {
    @Test func `a folder goes with the folders in it, and what its links lead to stays`() throws {
        let scratch = try TemporaryDirectory()
        let files = FileManager.default
        let outside = scratch.path + "/outside"
        let folder = scratch.path + "/run"
        try files.createDirectory(atPath: outside, withIntermediateDirectories: true)
        try files.createDirectory(atPath: folder + "/machine/disks", withIntermediateDirectories: true)
        for path in [outside + "/kept", folder + "/machine/disks/overlay", folder + "/log"] {
            #expect(files.createFile(atPath: path, contents: Data("x".utf8)))
        }
        try files.createSymbolicLink(atPath: folder + "/machine/link", withDestinationPath: outside)
        try Folder.remove(folder)
        #expect(!files.fileExists(atPath: folder))
        #expect(files.fileExists(atPath: outside + "/kept"))
        try Folder.remove(folder)
    }
}
