import Browse
import Glibc
import Platform
import ReadingEstate
import Repository
import Sealing
import Support
import Testing

/// The archive is one that GNU tar reads, and all that a backup has to bring back is in it.
@Suite struct TarTests {
    func export(
        _ snapshot: Snapshot, _ estate: ReadingEstate, to name: String, options: TarExport.Options = TarExport.Options()
    ) throws -> TarExport.Report {
        let file = try Descriptor.open(estate.temporary(name), O_WRONLY | O_CREAT | O_EXCL)
        let report = try TarExport.run(
            try SnapshotReader(try estate.open(), snapshot), try estate.root(of: snapshot), options: options
        ) { try file.write($0) }
        try file.close()
        return report
    }

    /// Extracts with GNU tar, as a person would.
    func extract(_ archive: String, _ estate: ReadingEstate) throws -> String {
        let target = estate.temporary("extracted-\(archive)")
        try Directory.make(at: Array(target.utf8))
        _ = try ChildProcess.run(
            "tar",
            [
                "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-p", "-x", "-f",
                estate.temporary(archive), "-C", target,
            ], scratch: estate.temporary.path, limit: .seconds(60))
        return target
    }

    @Test func aTreeOfEverythingComesBackThroughTar() throws {
        let estate = try ReadingEstate("tar")
        let omissions = try AwkwardTree.build(at: estate.source)
        let snapshot = try estate.backUp()
        let report = try export(snapshot, estate, to: "all.tar")
        #expect(report.problems.map { "\($0)" } == [])
        #expect(report.archiveBytes % 10240 == 0)
        #expect(report.archiveBytes < 30 << 20, "holes were written out")
        let target = try extract("all.tar", estate)
        let differences = try TreeComparison.differences(estate.source, target + estate.source)
        #expect(differences.filter { $0 != "missing: /specials/socket" } == [], "omitted: \(omissions.names)")
    }

    @Test func onlyWhatWasAskedForIsInIt() throws {
        let estate = try ReadingEstate("tar")
        try estate.write([1], "a/one")
        try estate.write([2], "b/two")
        let snapshot = try estate.backUp()
        var options = TarExport.Options()
        options.include = [AbsolutePath("\(estate.source)/b")]
        let report = try export(snapshot, estate, to: "b.tar", options: options)
        #expect(report.files == 1)
        let target = try extract("b.tar", estate)
        #expect(
            try TreeComparison.differences(estate.source, target + estate.source) == ["missing: /a"])
        options.include = [AbsolutePath("/no/such/path")]
        #expect(throws: Failure(.notFound, "")) {
            try TarExport.run(
                try SnapshotReader(try estate.open(), snapshot), try estate.root(of: snapshot), options: options
            ) { _ in Issue.record("something was written") }
        }
    }

    /// Sizes, owners and times that the fixed header has no room for.
    @Test func numbersBeyondTheFixedHeaderAreKept() throws {
        let estate = try ReadingEstate("tar")
        let snapshot = try estate.forge { session in
            var writer = session.makeContentWriter(.data)
            try writer.append([7])
            let piece = try writer.finish().chunks[0]
            let length: UInt64 = 20 << 30
            let content = ContentRef(
                length: length, depth: 0,
                chunks: [piece, ChunkRef(id: .hole, length: length - 2), piece])
            return try ReadingEstate.content(
                [
                    TreeEntry(
                        name: Array("large".utf8), kind: .file, mode: 0o600, owner: 4_000_000_000,
                        group: 3_000_000, modified: .init(seconds: -77, nanoseconds: 250_000_000), size: length,
                        content: content)
                ], session)
        }
        _ = try export(snapshot, estate, to: "large.tar")
        let target = try extract("large.tar", estate)
        var raw = stat()
        try #require(lstat("\(target)/large", &raw) == 0)
        #expect(raw.st_size == 20 << 30)
        #expect(raw.st_blocks < 100)
        #expect(raw.st_mtim.tv_sec == -77 && raw.st_mtim.tv_nsec == 250_000_000)
        if geteuid() == 0 { #expect(raw.st_uid == 4_000_000_000 && raw.st_gid == 3_000_000) }
        let file = try Descriptor.open("\(target)/large", O_RDONLY)
        var ends: [UInt8] = [0, 0]
        #expect(try ends.withUnsafeMutableBytes { try file.read(into: $0, at: (20 << 30) - 2) } == 2)
        #expect(ends == [0, 7])
    }

    /// Eight GiB of data are too many for a test: the header alone is looked at.
    @Test func aFileOfMoreThanEightGibibytesSaysSoInTheExtendedHeader() throws {
        let estate = try ReadingEstate("tar")
        struct Enough: Error {}
        let snapshot = try estate.forge { session in
            var writer = session.makeContentWriter(.data)
            try writer.append([UInt8](repeating: 5, count: 4 << 20))
            let content = try writer.finish()
            let chunks = (0..<2100).flatMap { _ in content.chunks }
            let length = chunks.reduce(UInt64(0)) { $0 + $1.length }
            let whole = ContentRef(length: length, depth: 0, chunks: chunks)
            return try ReadingEstate.content(
                [
                    TreeEntry(
                        name: Array("huge".utf8), kind: .file, mode: 0o600, owner: 0, group: 0,
                        modified: .init(seconds: 1, nanoseconds: 0), size: length, content: whole)
                ], session)
        }
        var first: [UInt8] = []
        #expect(throws: Enough.self) {
            try TarExport.run(try SnapshotReader(try estate.open(), snapshot), try estate.root(of: snapshot)) {
                first = $0
                throw Enough()
            }
        }
        let size = try #require(
            String(decoding: first.prefix(2048), as: UTF8.self).firstRange(of: #/size=(\d+)\n/#))
        let text = String(decoding: first.prefix(2048), as: UTF8.self)[size]
        #expect(text.count > "size=8589934592".count - 1)
    }

    @Test func aShortFileThatIsDamagedIsLeftOutAndALongOneEndsTheArchive() throws {
        let estate = try ReadingEstate("tar")
        var seed = Seed(4)
        for number in 0..<6 { try estate.write(seed.bytes(2_000_000), "short-\(number)") }
        let snapshot = try estate.backUp()
        estate.damagePacks()
        let report = try export(snapshot, estate, to: "short.tar")
        #expect(report.lost >= 1 && report.files + report.lost == 6)
        let target = try extract("short.tar", estate)
        let differences = try TreeComparison.differences(estate.source, target + estate.source)
        #expect(differences.count == Int(report.lost))
        #expect(differences.allSatisfy { $0.hasPrefix("missing: ") })
    }

    @Test func aLongFileThatIsDamagedEndsTheArchiveUnlessItIsCheckedFirst() throws {
        let estate = try ReadingEstate("tar")
        var seed = Seed(5)
        try estate.write(seed.bytes(30_000_000), "long")
        try estate.write([1], "zz-after")
        let snapshot = try estate.backUp()
        estate.damagePacks()
        let failure = #expect(throws: Failure.self) { try export(snapshot, estate, to: "cut.tar") }
        #expect(failure?.code == .damaged)
        #expect(failure?.what.contains("/long") == true)
        #expect(throws: Failure.self, "a cut archive passes for a whole one") { try extract("cut.tar", estate) }
        var options = TarExport.Options()
        options.checksFirst = true
        let report = try export(snapshot, estate, to: "checked.tar", options: options)
        #expect(report.lost == 1 && report.files == 1)
        let target = try extract("checked.tar", estate)
        #expect(
            try TreeComparison.differences(estate.source, target + estate.source).allSatisfy {
                $0 == "missing: /long"
            })
    }

    /// Sums of sizes that no number holds, names that lead elsewhere, devices of no number.
    @Test func hostileEntriesAreReportedAndTheRestIsWritten() throws {
        let estate = try ReadingEstate("tar")
        let snapshot = try estate.forge { session in
            var entries = (0..<5).map { number in
                TreeEntry(
                    name: Array("a\(number)".utf8), kind: .file, mode: 0o600, owner: 0, group: 0,
                    modified: .init(seconds: .max, nanoseconds: 5), size: 1 << 62,
                    content: ContentRef(length: 1 << 62, depth: 0, chunks: [ChunkRef(id: .hole, length: 1 << 62)]))
            }
            var device = entries[0]
            (device.name, device.kind, device.content, device.size) = (Array("b".utf8), .blockDevice, nil, 0)
            device.device = .max
            var evil = try ReadingEstate.file("x", [1], session)
            evil.name = Array("..".utf8)
            entries += [device, try ReadingEstate.directory("c", [evil], session)]
            entries.append(try ReadingEstate.file("good", [1], session))
            return try ReadingEstate.content(entries, session)
        }
        let report = try export(snapshot, estate, to: "hostile.tar")
        #expect(report.lost == 2)
        #expect(report.problems.map(\.path) == ["/b", "/c"])
        let names = try ChildProcess.run(
            "tar", ["-t", "-f", estate.temporary("hostile.tar")], scratch: estate.temporary.path, limit: .seconds(60))
        #expect(
            String(decoding: names, as: UTF8.self).split(separator: "\n") == [
                "a0", "a1", "a2", "a3", "a4", "c/", "good",
            ])
    }
}
