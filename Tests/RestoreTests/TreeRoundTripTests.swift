import Capture
import Glibc
import Platform
import Repository
import Restore
import Support
import Testing

/// What was backed up comes back as it was.
@Suite struct TreeRoundTripTests {
    @Test func anAwkwardTreeComesBackWhole() throws {
        let estate = try Estate()
        let omissions = try AwkwardTree.build(at: estate.source)
        if geteuid() == 0 { #expect(omissions.names == []) }
        let (snapshot, report, _) = try estate.backUp([estate.source])
        #expect(report.warnings.map(\.description) == [])
        let restored = try estate.restore(snapshot, to: "target")
        #expect(restored.problems.map(\.description) == [])
        let differences = try TreeComparison.differences(estate.source, estate.temporary("target") + estate.source)
        #expect(differences == [])
        #expect(restored.files == report.files)
        #expect(restored.others == report.others)
    }

    @Test func theComparisonFindsDifferences() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source, seed: 1)
        let other = estate.temporary("other")
        try Directory.make(at: Array(other.utf8))
        try AwkwardTree.build(at: other, seed: 2)
        let differences = try TreeComparison.differences(estate.source, other)
        #expect(differences.contains { $0.hasPrefix("/contents/random-3000000: content differs") })
        #expect(differences.contains { $0.hasPrefix("/contents: ") || $0.contains("nanoseconds") })
    }

    @Test func anUnchangedTreeStoresNothingNew() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        _ = try estate.backUp([estate.source])
        let (_, _, counters) = try estate.backUp([estate.source])
        // The directory that all tests share may have changed.
        #expect(counters.newBytes < 1000)
    }

    @Test func severalPathsLieInOneSnapshotUnderTheirOwnNames() throws {
        let estate = try Estate()
        for name in ["a/x", "a/y", "b/z"] {
            try Directory.make(at: Array("\(estate.source)/\(name)".utf8))
            try write([1, 2], "\(estate.source)/\(name)/file")
        }
        let (snapshot, _, _) = try estate.backUp(["\(estate.source)/a/x", "\(estate.source)/b", "\(estate.source)/b/z"])
        let restored = try estate.restore(snapshot, to: "target")
        #expect(restored.failure == nil)
        let base = estate.temporary("target") + estate.source
        #expect(exists("\(base)/a/x/file"))
        #expect(exists("\(base)/b/z/file"))
        #expect(!exists("\(base)/a/y"))
    }

    @Test func onlyWhatIsIncludedIsRestored() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (snapshot, _, _) = try estate.backUp([estate.source])
        var options = RestoreOptions()
        options.include = [
            AbsolutePath("\(estate.source)/names/港口貿易 2026年報告.txt"), AbsolutePath("\(estate.source)/directories/deep"),
        ]
        let restored = try estate.restore(snapshot, to: "target", options: options)
        #expect(restored.failure == nil)
        #expect(restored.files == 2)
        let base = estate.temporary("target") + estate.source
        #expect(exists("\(base)/names/港口貿易 2026年報告.txt"))
        #expect(!exists("\(base)/names/plain"))
        let differences = try TreeComparison.differences(
            "\(estate.source)/directories/deep", "\(base)/directories/deep")
        #expect(differences == [])
    }

    @Test func aSecondNameAloneIsRestoredAsAFile() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (snapshot, _, _) = try estate.backUp([estate.source])
        var options = RestoreOptions()
        options.include = [AbsolutePath("\(estate.source)/hard/below")]
        #expect(try estate.restore(snapshot, to: "target", options: options).failure == nil)
        let base = estate.temporary("target") + estate.source
        #expect(try TreeComparison.differences("\(estate.source)/hard/below", "\(base)/hard/below") == [])
    }

    @Test func whatIsNotInTheSnapshotIsNotFound() throws {
        let estate = try Estate()
        try write([1], "\(estate.source)/file")
        let (snapshot, _, _) = try estate.backUp([estate.source])
        for path in ["\(estate.source)/absent", "\(estate.source)/file/below", "/elsewhere"] {
            var options = RestoreOptions()
            options.include = [AbsolutePath(path)]
            #expect(throws: Failure(.notFound, "")) { try estate.restore(snapshot, to: "target", options: options) }
        }
    }

    @Test func aPlanSaysWhatWillBeDone() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (snapshot, report, _) = try estate.backUp([estate.source])
        let plan = try estate.plan(snapshot)
        #expect(plan.files == report.files)
        #expect(plan.directories == report.directories)
        #expect(plan.others == report.others)
        #expect(plan.bytes == report.bytes)
        #expect(!exists(estate.temporary("target")))
    }

    @Test func pathsAreListed() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (snapshot, _, _) = try estate.backUp([estate.source])
        let reader = try SnapshotReader(try estate.open(), snapshot)
        var names: [String] = []
        let root = try estate.root(of: snapshot)
        try SnapshotLookup.list(AbsolutePath("\(estate.source)/hard"), in: reader, root: root) {
            names.append(String(decoding: $0.name, as: UTF8.self))
        }
        #expect(names == ["below", "empty-1", "empty-2", "first", "second", "soft-1", "soft-2"])
        names = []
        try SnapshotLookup.list(AbsolutePath("\(estate.source)/hard/first"), in: reader, root: root) {
            names.append(String(decoding: $0.name, as: UTF8.self))
        }
        #expect(names == ["first"])
        #expect(throws: Failure(.notFound, "")) {
            try SnapshotLookup.list(AbsolutePath("\(estate.source)/no"), in: reader, root: root) { _ in }
        }
        names = []
        try SnapshotLookup.list(AbsolutePath("/"), in: reader, root: root) {
            names.append(String(decoding: $0.name, as: UTF8.self))
        }
        #expect(names.count == 1)
    }

    @Test func directoriesThatOnlyLeadThereAreTold() {
        func leading(_ met: [(parent: String, isDirectory: Bool)]) -> Set<String> {
            var leading = LeadingDirectories()
            for (parent, isDirectory) in met { leading.meet(in: Array(parent.utf8), isDirectory: isDirectory) }
            return Set(leading.found().map { String(decoding: $0, as: UTF8.self) })
        }
        let met = [
            ("", true), ("home", true), ("home/user", true), ("home/user/documents", false),
            ("home/user/documents", true), ("home/user/documents/inner", true), ("", true), ("srv", true),
        ]
        #expect(leading(met) == ["home", "home/user", "srv"])
        // Known late, a file above says that they were backed up themselves.
        #expect(leading(met + [("srv", false)]) == ["home", "home/user"])
        #expect(leading(met + [("", false)]) == [])
        #expect(leading([("", false)] + met) == [])
        // Its name is the beginning of the next one's, which does not lie in it.
        #expect(leading([("", true), ("a", true), ("", true), ("a.b", true), ("a.b/c", false)]) == ["a", "a.b"])
        #expect(leading([]) == [])
    }

    @Test(arguments: [0, 1000, 1 << 20]) func directoriesAreGoneThroughBackwardsHoweverManyThereAre(limit: Int) throws {
        let temporary = try TemporaryDirectory("made")
        var files = 0
        let made = MadeDirectories(limit: limit) { () throws(Failure) in
            files += 1
            return try Descriptor.open(temporary("made"), O_RDWR | O_CREAT | O_EXCL)
        }
        let all = (0..<100).map { number in
            TreeEntry(
                name: Array("\(number)".utf8), kind: .directory, mode: 0o700 + UInt32(number % 8), owner: 3, group: 4,
                modified: .init(seconds: Int64(number), nanoseconds: 5),
                extendedAttributes: [.init(name: Array("user.x".utf8), value: [UInt8(number)])], content: .empty)
        }
        for entry in all { made.append(Array("a/".utf8) + entry.name, entry) }
        var met: [TreeEntry] = []
        try made.forEachBackwards { path, entry in
            #expect(path == Array("a/".utf8) + entry.name)
            met.append(entry)
        }
        #expect(met == all.reversed() && files == (limit < 1 << 20 ? 1 : 0))
    }

    /// A place that takes no file, and one that is full from the start.
    @Test(arguments: ["/proc/breakwater", "/dev/full"]) func directoriesStayInMemoryWhereNoFileTakesThem(
        file: String
    ) throws {
        var asked = 0
        let made = MadeDirectories(limit: 1000) { () throws(Failure) in
            asked += 1
            return try Descriptor.open(file, O_RDWR)
        }
        let names = (0..<100).map { Array("\($0)".utf8) }
        for name in names {
            made.append(
                name,
                TreeEntry(
                    name: name, kind: .directory, mode: 0o700, owner: 3, group: 4,
                    modified: .init(seconds: 1, nanoseconds: 2), extendedAttributes: [], content: .empty))
        }
        var met: [[UInt8]] = []
        try made.forEachBackwards { path, _ in met.append(path) }
        #expect(met == names.reversed() && asked == 1)
    }
}
