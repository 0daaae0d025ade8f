import Browse
import Glibc
import Platform
import ReadingEstate
import Repository
import Sealing
import Support
import Testing

/// What differs between two snapshots is told, all of it and nothing else.
@Suite struct TreeDiffTests {
    func diff(_ old: Snapshot, _ new: Snapshot, _ estate: ReadingEstate) throws -> (
        lines: [String], summary: TreeDiff.Summary, lost: Int
    ) {
        let readers = try Readers(try estate.open())
        let lines = Monitor<[String]>([])
        let lost = Monitor(0)
        let prefix = AbsolutePath(estate.source).bytes.count
        var diff = TreeDiff(from: try readers.reader(of: old), to: try readers.reader(of: new)) { change in
            let path = String(decoding: change.path.dropFirst(prefix), as: UTF8.self)
            var line = "\(change.kind.rawValue) \(path)"
            if change.hasOtherContent { line += " content" }
            for attribute in change.attributes where attribute != .modified { line += " \(attribute.rawValue)" }
            // The directories above a change have another time, or not, as the clock will have it.
            if change.kind != .changed || line.contains(" content")
                || !change.attributes.allSatisfy({ $0 == .modified })
                || change.after?.kind != .directory
            {
                lines.access { $0.append(line) }
            }
        } lost: { _, _ in
            lost.access { $0 += 1 }
        }
        try diff.compare(try estate.root(of: old), try estate.root(of: new))
        return (lines.access { $0 }, diff.summary, lost.access { $0 })
    }

    @Test func everyKindOfChangeIsToldApart() throws {
        let estate = try ReadingEstate("diff")
        for name in ["stays", "content", "mode", "gone", "becomes-directory", "dir/one", "gone-dir/a", "gone-dir/b"] {
            try estate.write(Array(name.utf8), name)
        }
        try estate.write([1], "becomes-file/inside")
        _ = symlink("here", "\(estate.source)/link")
        let old = try estate.backUp()
        let at = estate.source
        try estate.write([1, 2, 3], "content")
        try #require(chmod("\(at)/mode", 0o600) == 0)
        try #require(unlink("\(at)/gone") == 0)
        TemporaryDirectory.clear(Array("\(at)/gone-dir".utf8))
        try #require(unlink("\(at)/becomes-directory") == 0)
        try estate.write([1], "becomes-directory/now-inside")
        TemporaryDirectory.clear(Array("\(at)/becomes-file".utf8))
        try estate.write([9, 9], "becomes-file")
        try #require(unlink("\(at)/link") == 0 && symlink("there", "\(at)/link") == 0)
        try estate.write([4], "new-dir/file")
        let new = try estate.backUp()
        let (lines, summary, lost) = try diff(old, new, estate)
        #expect(
            lines == [
                "retyped becomes-directory mode", "added becomes-directory/now-inside", "retyped becomes-file mode",
                "removed becomes-file/inside", "changed content content", "removed gone", "removed gone-dir",
                "removed gone-dir/a", "removed gone-dir/b", "changed link content", "changed mode mode",
                "added new-dir",
                "added new-dir/file",
            ])
        #expect(lost == 0)
        #expect(summary.added == 3 && summary.removed == 5 && summary.retyped == 2)
        #expect(summary.changedContent == 2)
        #expect(summary.bytesChanged == 3)
        #expect(summary.bytesAdded == 1 + 1 + 2)
        #expect(
            summary.bytesRemoved == UInt64("gone".utf8.count + "gone-dir/a".utf8.count + "gone-dir/b".utf8.count)
                + 1 + UInt64("becomes-directory".utf8.count))
    }

    @Test func equalDirectoriesAreNotRead() throws {
        let estate = try ReadingEstate("diff")
        for folder in 0..<30 { try estate.write([UInt8(folder)], "folder-\(folder)/deep/file") }
        let old = try estate.backUp()
        try estate.write([1], "folder-3/deep/new")
        let new = try estate.backUp()
        let (lines, summary, _) = try diff(old, new, estate)
        #expect(lines == ["added folder-3/deep/new"])
        let depth = UInt64(AbsolutePath(estate.source).components.count)
        #expect(summary.directoriesRead == 2 * (depth + 3))
        #expect(summary.directoriesSkipped == 29)
        let same = try diff(new, new, estate).summary
        #expect(same.isEmpty && same.directoriesRead == 0)
    }

    @Test func sizesThatNoNumberHoldsDoNotCrash() throws {
        let estate = try ReadingEstate("diff")
        let old = try estate.forge { try ReadingEstate.content([], $0) }
        let new = try estate.forge { session in
            let entries = (0..<5).map { number in
                TreeEntry(
                    name: Array("f\(number)".utf8), kind: .file, mode: 0, owner: 0, group: 0,
                    modified: .init(seconds: 0, nanoseconds: 0), size: 1 << 62,
                    content: ContentRef(
                        length: 1 << 62, depth: 0, chunks: [ChunkRef(id: .hole, length: 1 << 62)]))
            }
            return try ReadingEstate.content(entries, session)
        }
        #expect(try diff(old, new, estate).summary.bytesAdded == .max)
    }
}
