import Browse
import Glibc
import Platform
import ReadingEstate
import Repository
import Support
import Testing

/// Names are found in every snapshot that has them, and what snapshots share is read once.
@Suite struct NameSearchTests {
    func find(_ pattern: String, _ snapshots: [Snapshot], _ estate: ReadingEstate) throws -> (
        paths: [[String]], read: UInt64, lost: [String]
    ) {
        let search = NameSearch(try Glob(Array(pattern.utf8)))
        let readers = try Readers(try estate.open())
        var paths: [[String]] = []
        var lost: [String] = []
        for snapshot in snapshots {
            var found: [String] = []
            try search.run(try readers.reader(of: snapshot), try estate.root(of: snapshot)) { path, _ in
                found.append("/" + String(decoding: path, as: UTF8.self))
            } lost: { path, _ in
                lost.append("/" + String(decoding: path, as: UTF8.self))
            }
            paths.append(found)
        }
        return (paths, search.directoriesRead, lost)
    }

    @Test func everySnapshotGivesItsOwnPathsAndSharedDirectoriesAreReadOnce() throws {
        let estate = try ReadingEstate("find")
        for folder in 0..<20 { try estate.write([UInt8(folder)], "folder-\(folder)/report.txt") }
        let first = try estate.backUp()
        try estate.write([1], "folder-7/report-2.txt")
        let second = try estate.backUp()
        let one = try find("report*", [first], estate)
        #expect(one.paths[0].count == 20)
        let both = try find("report*", [first, second], estate)
        #expect(both.paths[0] == one.paths[0])
        #expect(both.paths[1].count == 21)
        #expect(both.paths[1].contains("\(estate.source)/folder-7/report-2.txt"))
        // Of the second snapshot only what leads to the change is new.
        let depth = UInt64(AbsolutePath(estate.source).components.count)
        #expect(both.read == one.read + depth + 2)
        #expect(one.read == depth + 1 + 20)
    }

    @Test func aDirectoryIsFoundByItsOwnName() throws {
        let estate = try ReadingEstate("find")
        try estate.write([1], "合同/內/file")
        let snapshot = try estate.backUp()
        #expect(try find("[合]?", [snapshot], estate).paths == [["\(estate.source)/合同"]])
        #expect(try find("nowhere", [snapshot], estate).paths == [[]])
    }

    @Test func aDirectoryThatCannotBeReadIsNamedAndTheRestIsFound() throws {
        let estate = try ReadingEstate("find")
        let snapshot = try estate.forge { session in
            var evil = try ReadingEstate.file("x", [1], session)
            evil.name = Array("..".utf8)
            return try ReadingEstate.content(
                [
                    ReadingEstate.directory("bad", [evil], session),
                    ReadingEstate.directory("good", [ReadingEstate.file("x", [1], session)], session),
                ], session)
        }
        let found = try find("x", [snapshot], estate)
        #expect(found.paths == [["/good/x"]])
        #expect(found.lost == ["/bad"])
    }

    @Test func depthsThatNoFileSystemHasEndInALossNotACrash() throws {
        let estate = try ReadingEstate("find")
        var inner: TreeEntry?
        // Each snapshot stacks its directories on what the one before had.
        var snapshots: [Snapshot] = []
        for _ in 0..<3 {
            snapshots.append(
                try estate.forge { session in
                    var entry = try inner ?? ReadingEstate.file("bottom", [1], session)
                    for _ in 0..<1500 { entry = try ReadingEstate.directory("d", [entry], session) }
                    inner = entry
                    return try ReadingEstate.content([entry], session)
                })
        }
        let found = try onEngineThread { try find("bottom", snapshots, estate) }
        #expect(found.paths[0].count == 1)
        #expect(!found.lost.isEmpty)
    }
}
