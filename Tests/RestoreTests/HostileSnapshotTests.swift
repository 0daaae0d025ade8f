import Glibc
import Platform
import Repository
import Restore
import Sealing
import Support
import Testing

/// Whatever a snapshot says, nothing is written outside the target, and nothing that stands is changed unasked.
@Suite struct HostileSnapshotTests {
    /// Writes content and gives an entry of it.
    func file(_ name: [UInt8], _ bytes: [UInt8], _ session: BackupSession) throws -> TreeEntry {
        var writer = session.makeContentWriter(.data)
        try writer.append(bytes)
        let content = try writer.finish()
        return TreeEntry(
            name: name, kind: .file, mode: 0o644, owner: geteuid(), group: getegid(),
            modified: .init(seconds: 1, nanoseconds: 0), size: content.length, content: content)
    }

    func directory(_ name: [UInt8], _ entries: [TreeEntry], _ session: BackupSession) throws -> TreeEntry {
        TreeEntry(
            name: name, kind: .directory, mode: 0o755, owner: geteuid(), group: getegid(),
            modified: .init(seconds: 1, nanoseconds: 0), content: try content(entries, session))
    }

    func link(_ name: [UInt8], to target: String) -> TreeEntry {
        TreeEntry(
            name: name, kind: .symbolicLink, mode: 0o777, owner: geteuid(), group: getegid(),
            modified: .init(seconds: 1, nanoseconds: 0), target: Array(target.utf8))
    }

    func content(_ entries: [TreeEntry], _ session: BackupSession) throws -> ContentRef {
        var writer = session.makeContentWriter(.tree)
        for entry in entries { try writer.append(entry.framed) }
        return try writer.finish()
    }

    /// Everything below a path, with content, so that a change anywhere shows.
    func inventory(_ path: String) throws -> [String] {
        var found: [String] = []
        for entry in try Directory(at: path).sortedEntries() {
            let below = "\(path)/\(String(decoding: entry.name, as: UTF8.self))"
            if entry.kind == .directory {
                found += [below] + (try inventory(below))
            } else if entry.kind == .file {
                found.append("\(below) \(Hex.encode(try read(below)))")
            } else {
                found.append(below)
            }
        }
        return found
    }

    @Test(arguments: ["..", ".", "../escaped", "/escaped", "a/../../escaped", "", "nul\0byte"])
    func namesThatLeadElsewhereAreRefused(name: String) throws {
        let estate = try Estate()
        let snapshot = try estate.commitForged { session in
            let evil = try file(Array(name.utf8), [6, 6, 6], session)
            let nested = try directory(Array(name.utf8), [file(Array("x".utf8), [6], session)], session)
            return try content(
                [
                    directory(Array("a".utf8), [evil], session), directory(Array("b".utf8), [nested], session),
                    file(Array("good".utf8), [1], session),
                ], session)
        }
        let before = try inventory(estate.temporary.path)
        let report = try estate.restore(snapshot, to: "target")
        #expect(report.failure?.code == .partial)
        #expect(report.lost == 2)
        let after = try inventory(estate.temporary.path)
        let target = estate.temporary("target")
        #expect(
            after.filter { !before.contains($0) } == [
                target, "\(target)/a", "\(target)/b", "\(target)/good 01",
            ])
    }

    @Test func sizesThatNoNumberHoldsAreAddedUpWithoutATrap() throws {
        let estate = try Estate()
        let size: UInt64 = 1 << 62
        let snapshot = try estate.commitForged { session in
            let hole = ContentRef(length: size, depth: 0, chunks: [ChunkRef(id: .hole, length: size)])
            let files = (0..<5).map { number in
                TreeEntry(
                    name: Array("\(number)".utf8), kind: .file, mode: 0o644, owner: geteuid(), group: getegid(),
                    modified: .init(seconds: 1, nanoseconds: 0), size: size, content: hole)
            }
            return try content(files + [file(Array("good".utf8), [1], session)], session)
        }
        #expect(try estate.plan(snapshot).bytes == .max)
        // Whether a file system takes files of that size is its own affair: the good one comes back.
        _ = try estate.restore(snapshot, to: "target")
        #expect(try read(estate.temporary("target") + "/good") == [1])
    }

    @Test func aNameThatStandsTwiceIsRefused() throws {
        let estate = try Estate()
        let outside = estate.temporary("outside")
        try Directory.make(at: Array(outside.utf8))
        let snapshot = try estate.commitForged { session in
            let below = try directory(Array("x".utf8), [file(Array("pwned".utf8), [6], session)], session)
            return try content([link(Array("x".utf8), to: outside), below], session)
        }
        let report = try estate.restore(snapshot, to: "target")
        #expect(report.failure?.code == .partial)
        #expect(try inventory(outside) == [])
    }

    @Test(arguments: [RestoreOptions.Existing.refuse, .update])
    func symbolicLinksThatStandInTheTargetAreNotFollowed(existing: RestoreOptions.Existing) throws {
        let estate = try Estate()
        let outside = estate.temporary("outside")
        try Directory.make(at: Array("\(outside)/inner".utf8))
        try write([9], "\(outside)/file")
        let before = try inventory(outside)
        let snapshot = try estate.commitForged { session in
            let inner = try directory(Array("inner".utf8), [file(Array("pwned".utf8), [6], session)], session)
            return try content(
                [
                    directory(Array("dir".utf8), [file(Array("pwned".utf8), [6], session), inner], session),
                    file(Array("file".utf8), [6], session),
                ], session)
        }
        try Directory.make(at: Array(estate.temporary("target").utf8))
        try #require(symlink(outside, estate.temporary("target/dir")) == 0)
        try #require(symlink("\(outside)/file", estate.temporary("target/file")) == 0)
        var options = RestoreOptions()
        options.existing = existing
        if existing == .refuse {
            #expect(throws: Failure(.refused, "")) { try estate.restore(snapshot, to: "target", options: options) }
            #expect(try inventory(estate.temporary("target")).count == 2)
        } else {
            let report = try estate.restore(snapshot, to: "target", options: options)
            #expect(report.failure?.code == .partial)
            // The link itself is replaced by the file; what it pointed to stays.
            #expect(try read(estate.temporary("target/file")) == [6])
        }
        #expect(try inventory(outside) == before)
    }

    @Test func aSymbolicLinkOfTheSnapshotIsNotWrittenThrough() throws {
        // `link` points out; a second restore with another snapshot wants a directory there.
        let estate = try Estate()
        let outside = estate.temporary("outside")
        try Directory.make(at: Array(outside.utf8))
        let first = try estate.commitForged { session in
            try content([link(Array("link".utf8), to: outside)], session)
        }
        let second = try estate.commitForged { session in
            try content(
                [directory(Array("link".utf8), [file(Array("pwned".utf8), [6], session)], session)], session)
        }
        #expect(try estate.restore(first, to: "target").failure == nil)
        var options = RestoreOptions()
        options.existing = .update
        #expect(try estate.restore(second, to: "target", options: options).failure?.code == .partial)
        #expect(try inventory(outside) == [])
    }

    @Test func namesOfOneFileThatDifferAreRestoredApart() throws {
        let estate = try Estate()
        let snapshot = try estate.commitForged { session in
            var one = try file(Array("one".utf8), [1], session)
            var two = try file(Array("two".utf8), [2, 2], session)
            (one.link, two.link) = (7, 7)
            return try content([one, two], session)
        }
        #expect(try estate.restore(snapshot, to: "target").failure == nil)
        #expect(try read(estate.temporary("target/one")) == [1])
        #expect(try read(estate.temporary("target/two")) == [2, 2])
    }

    @Test func aTreeTooDeepEndsInAReportNotACrash() throws {
        // On a thread of the engine, as everywhere else: what runs a test may have a small stack.
        let result = Monitor<Result<RestoreReport, any Error>?>(nil)
        let thread = EngineThread(name: "deep") {
            let restored = Result { try restoreATreeTooDeep() }
            result.access { $0 = restored }
        }
        thread.join()
        let report = try #require(try result.access { $0 }?.get())
        #expect(report.failure?.code == .partial)
        #expect(report.directories > 1000)
    }

    private func restoreATreeTooDeep() throws -> RestoreReport {
        let estate = try Estate()
        let snapshot = try estate.commitForged { session in
            var entry = try file(Array("bottom".utf8), [1], session)
            for _ in 0..<2500 { entry = try directory(Array("d".utf8), [entry], session) }
            return try content([entry], session)
        }
        return try estate.restore(snapshot, to: "target")
    }

    @Test func whatStandsIsRefusedBeforeAnythingIsMade() throws {
        let estate = try Estate()
        try write([1], "\(estate.source)/file")
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let place = estate.temporary("target") + estate.source
        try Directory.make(at: Array(place.utf8))
        try write([2], "\(place)/mine")
        let before = try inventory(estate.temporary("target"))
        #expect(throws: Failure(.refused, "")) { try estate.restore(snapshot, to: "target") }
        #expect(try inventory(estate.temporary("target")) == before)
    }

    @Test func updatingLeavesWhatIsEqualAndReplacesWhatIsNot() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (snapshot, _, _) = try estate.backUp([estate.source])
        #expect(try estate.restore(snapshot, to: "target").failure == nil)
        let place = estate.temporary("target") + estate.source
        try #require(truncate("\(place)/contents/text", 5) == 0)
        try #require(unlink("\(place)/names/plain") == 0)
        try write([8], "\(place)/names/of-mine")
        var options = RestoreOptions()
        options.existing = .update
        let report = try estate.restore(snapshot, to: "target", options: options)
        #expect(report.problems.map(\.description) == [])
        #expect(report.files < 20, "files that stood as they should were written again")
        #expect(report.unchanged > 100)
        let differences = try TreeComparison.differences(estate.source, place)
        #expect(differences.allSatisfy { $0 == "too many: /names/of-mine" })
    }
}
