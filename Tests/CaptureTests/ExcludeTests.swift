import Capture
import Glibc
import Platform
import Repository
import Support
import Testing

/// What patterns leave out is not in the snapshot, and is counted; everything else is there.
@Suite struct ExcludeTests {
    private static let tag = Array("Signature: 8a477f597d28d172789f06886806bc55\n# whoever\n".utf8)

    private func make(_ estate: Estate, _ files: [String: String]) throws {
        for (name, text) in files.sorted(by: { $0.key < $1.key }) {
            let parent = name.split(separator: "/").dropLast().joined(separator: "/")
            try Directory.make(at: Array("\(estate.source)/\(parent)".utf8))
            try estate.write(name, Array(text.utf8))
        }
    }

    /// Paths of the snapshot below the source, and the report.
    private func capture(
        _ estate: Estate, _ patterns: [String] = [], _ configure: (inout CaptureOptions) -> Void = { _ in }
    ) throws -> (Set<String>, CaptureReport) {
        var options = CaptureOptions()
        options.exclude = ExcludeList(try patterns.map { try #require(ExcludePattern(Array($0.utf8))) })
        configure(&options)
        let (entries, report, _) = try estate.capture([estate.source], options: options)
        let below = estate.source + "/"
        return (Set(entries.keys.filter { $0.hasPrefix(below) }.map { String($0.dropFirst(below.count)) }), report)
    }

    @Test func patternsStandAtThePathThatWasNamed() throws {
        let estate = try Estate()
        try make(estate, ["cache/x": "1", "in/cache/x": "1", "in/a.o": "1", "in/a.c": "1"])
        let (names, report) = try capture(estate, ["/cache", "*.o"])
        #expect(names == ["in", "in/cache", "in/cache/x", "in/a.c"])
        #expect(report.excluded == 2)
        #expect(report.firstExcluded == ["\(estate.source)/cache", "\(estate.source)/in/a.o"])
        #expect(report.isComplete && report.warnings.isEmpty)
    }

    @Test func aPathThatWasNamedIsNeverLeftOut() throws {
        let estate = try Estate()
        try make(estate, ["file": "1"])
        let (names, report) = try capture(estate, ["source", "/source"])
        #expect(names == ["file"] && report.excluded == 0)
    }

    @Test func anIgnoreFileSpeaksForItsDirectoryAndIsKept() throws {
        let estate = try Estate()
        try make(
            estate,
            [
                ".breakwaterignore": "*.o\n/top\n", "a.o": "1", "top": "1", "in/top": "1", "in/b.o": "1",
                "in/.breakwaterignore": "!b.o\nhere/\n", "in/here/x": "1", "in/deep/b.o": "1", "other/b.o": "1",
                "other/here/x": "1",
            ])
        let (names, report) = try capture(estate)
        #expect(
            names == [
                ".breakwaterignore", "in", "in/.breakwaterignore", "in/top", "in/b.o", "in/deep", "in/deep/b.o",
                "other",
                "other/here", "other/here/x",
            ])
        #expect(report.excluded == 4)
    }

    @Test func whatThePersonSaysGoesBeforeTheFiles() throws {
        let estate = try Estate()
        try make(estate, [".breakwaterignore": "*.o\n!x\n", "a.o": "1", "x": "1"])
        let (names, _) = try capture(estate, ["!a.o", "x"])
        #expect(names == [".breakwaterignore", "a.o"])
    }

    @Test func aBadLineIsNamedAndTheOthersHold() throws {
        let estate = try Estate()
        try make(estate, [".breakwaterignore": "[oops\na\n", "a": "1", "b": "1"])
        let (names, report) = try capture(estate)
        #expect(names == [".breakwaterignore", "b"])
        #expect(report.warnings.map(\.kind) == [.skipped])
        #expect(report.warnings.first?.reason.contains("line 1") == true)
        #expect(report.isComplete)
    }

    @Test func whatOnlyLooksLikeAnIgnoreFileLeavesOutNothingAndIsNamed() throws {
        let estate = try Estate()
        try make(estate, ["a": "1", "in/a": "1", "long/a": "1"])
        try #require(symlink("a", "\(estate.source)/.breakwaterignore") == 0)
        try #require(mkfifo("\(estate.source)/in/.breakwaterignore", 0o600) == 0)
        try estate.write("long/.breakwaterignore", [UInt8](repeating: 10, count: 1 << 20 + 1))
        let (names, report) = try capture(estate)
        #expect(names.isSuperset(of: ["a", "in/a", "long/a"]) && report.excluded == 0)
        let named = report.warnings.filter { $0.kind == .skipped && $0.path.hasSuffix("/.breakwaterignore") }
        #expect(named.count { $0.reason.contains("it leaves out nothing") } == 3)
    }

    @Test func aTaggedCacheKeepsItsTagOnly() throws {
        let estate = try Estate()
        try make(estate, ["cache/a": "1", "cache/deep/b": "1", "not/CACHEDIR.TAG": "Signature: 8a", "not/a": "1"])
        try estate.write("cache/CACHEDIR.TAG", Self.tag)
        let (all, _) = try capture(estate)
        #expect(all.contains("cache/a"))
        let (names, report) = try capture(estate) { $0.excludeCaches = true }
        #expect(names == ["cache", "cache/CACHEDIR.TAG", "not", "not/CACHEDIR.TAG", "not/a"])
        #expect(report.excluded == 2)
    }

    @Test func namesThatAreNoTextAreLeftOutByTheirBytes() throws {
        let estate = try Estate()
        try #require(Name.with(Array("\(estate.source)/".utf8) + [0xFF, 0x61]) { close(creat($0, 0o600)) } == 0)
        try make(estate, ["b": "1"])
        let (names, report) = try capture(estate) {
            $0.exclude = ExcludeList([[0xFF, 0x3F]].compactMap { ExcludePattern($0) })
        }
        #expect(names == ["b"] && report.excluded == 1)
    }

    // MARK: - Large directories

    @Test(arguments: [1, 2, 3, 7, 100]) func aDirectoryIsCapturedInPiecesAsInOne(namesAtOnce: Int) throws {
        let estate = try Estate()
        for number in 0..<20 { try estate.write("f\(number * 7919 % 1000)", [UInt8(number)]) }
        try make(estate, ["in/a": "1", "in/b": "1"])
        let (whole, _) = try capture(estate)
        let (pieces, report) = try capture(estate) { $0.namesAtOnce = namesAtOnce }
        #expect(pieces == whole && whole.count == 23)
        #expect(report.files == 22)
    }

    @Test func aLargeDirectoryIsNeverHeldWhole() throws {
        let temporary = try TemporaryDirectory("large")
        let directory = try Directory(at: temporary.path)
        var expected: [[UInt8]] = []
        for number in 0..<5000 {
            let name = Array("\(number &* 2_654_435_761 % 1_000_003)".utf8)
            _ = try directory.file(name, O_WRONLY | O_CREAT)
            expected.append(name)
        }
        expected.sort { $0.lexicographicallyPrecedes($1) }
        var met: [[UInt8]] = []
        var last: [UInt8]?
        while true {
            let piece = try directory.sortedEntries(after: last, limit: 300)
            // The room that the array took shows what it ever held.
            #expect(piece.count <= 300 && piece.capacity < 2000)
            met += piece.map(\.name)
            guard piece.count == 300 else { break }
            last = piece.last?.name
        }
        #expect(met == expected)
    }
}
