import Glibc
import Platform
import Restore
import Support
import Testing

/// Temporary files of restores that were killed go with the next restore into that place, and nothing else goes.
@Suite struct LeftoverTests {
    private let estate: Estate
    /// Where the source lies once it is restored to `target`.
    private let place: String
    private let update: RestoreOptions

    init() throws {
        estate = try Estate()
        place = estate.temporary("target") + estate.source
        var options = RestoreOptions()
        options.existing = .update
        update = options
        try write([1, 2, 3], estate.source + "/file")
    }

    private func name(in directory: String, _ purpose: TemporaryName.Purpose = .file) throws -> String {
        let names = TemporaryName(purpose, in: try Directory(at: directory).status().inode)
        return directory + "/" + String(decoding: names.make(.system), as: UTF8.self)
    }

    private func last(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    @Test func filesOfAKilledRestoreGoFromEveryDirectoryThatStood() throws {
        let snapshot = try estate.backUp([estate.source]).snapshot
        #expect(try estate.restore(snapshot, to: "target").leftovers == 0)
        let left = [try name(in: place), try name(in: place), try name(in: estate.temporary("target"))]
        for path in left { try write([9], path) }
        let report = try estate.restore(snapshot, to: "target", options: update)
        #expect(report.leftovers == 3 && report.failure == nil)
        #expect(!left.contains(where: exists))
        #expect(try read(place + "/file") == [1, 2, 3])
    }

    @Test func anUpdateGivesBackTheModeOfAFileOfTheSameTime() throws {
        let snapshot = try estate.backUp([estate.source]).snapshot
        _ = try estate.restore(snapshot, to: "target")
        func mode() throws -> UInt32? {
            try Directory(at: place).status(of: Array("file".utf8))?.mode
        }
        let right = try mode()
        #expect(chmod(place + "/file", right == 0o600 ? 0o640 : 0o600) == 0)
        let report = try estate.restore(snapshot, to: "target", options: update)
        #expect(report.files == 1 && report.unchanged == 0)
        #expect(try mode() == right)
    }

    @Test func whatIsNoneOfThoseStays() throws {
        let snapshot = try estate.backUp([estate.source]).snapshot
        _ = try estate.restore(snapshot, to: "target")
        let own = try name(in: place)
        var others = [
            // Named like one, carried off from another directory, of a disk, and no file.
            place + "/.breakwater-0123456789abcdef", place + "/.breakwater-" + String(repeating: "0", count: 32),
            place + "/" + last(try name(in: estate.source)), try name(in: place, .alone), own + "0", own + ".old",
        ]
        for path in others { try write([9], path) }
        let (link, directory) = (try name(in: place), try name(in: place))
        #expect(symlink("file", link) == 0 && mkdir(directory, 0o700) == 0)
        others += [link, directory]
        #expect(try estate.restore(snapshot, to: "target", options: update).leftovers == 0)
        #expect(others.allSatisfy(exists))
    }

    /// A backup of a place with a leftover in it, restored to that place.
    @Test func whatTheSnapshotHoldsStays() throws {
        try Directory.make(at: Array(place.utf8))
        let path = try name(in: place)
        try write([4, 5], estate.source + "/" + last(path))
        let snapshot = try estate.backUp([estate.source]).snapshot
        try write([9], path)
        var report = try estate.restore(snapshot, to: "target", options: update)
        #expect(report.leftovers == 0 && report.files == 2)
        #expect(try read(path) == [4, 5])
        report = try estate.restore(snapshot, to: "target", options: update)
        #expect(report.leftovers == 0 && report.unchanged == 2)
        // Also when only something else of it is asked for.
        var part = update
        part.include = [AbsolutePath(estate.source + "/file")]
        #expect(try estate.restore(snapshot, to: "target", options: part).leftovers == 0)
        #expect(exists(path))
    }

    @Test func nothingIsTakenFromARestoreThatRuns() throws {
        let snapshot = try estate.backUp([estate.source]).snapshot
        _ = try estate.restore(snapshot, to: "target")
        let path = try name(in: place)
        try write([9], path)
        // Into the same target, into one that the other lies in, and into one within it.
        for filled in [estate.temporary("target"), estate.temporary.path, place] {
            let other = try Directory(at: filled)
            let isHeld = FillingLock.hold(other)
            #expect(isHeld)
            #expect(try estate.restore(snapshot, to: "target", options: update).leftovers == 0)
            #expect(exists(path))
            FillingLock.release(other)
        }
        // One beside it has nothing to do with it.
        let beside = try Directory(at: estate.source)
        let isHeld = FillingLock.hold(beside)
        #expect(isHeld)
        #expect(try estate.restore(snapshot, to: "target", options: update).leftovers == 1)
        #expect(!exists(path))
        FillingLock.release(beside)
    }

    @Test func imagesOfKilledRestoresGoAndThoseUnderWayStay() throws {
        var seed = Seed(3)
        try write(seed.bytes(200_000), estate.temporary("image"))
        let snapshot = try estate.backUpDisk(estate.temporary("image")).snapshot
        let (dead, running) = (try name(in: estate.temporary.path, .alone), try name(in: estate.temporary.path, .alone))
        let other = try name(in: estate.temporary.path)
        for path in [dead, running, other] { try write([9], path) }
        // A name that somebody gave to another's file is not the file's own.
        let link = try name(in: estate.temporary.path, .alone)
        #expect(Glibc.link(estate.source + "/file", link) == 0)
        let held = try Descriptor.open(running, O_RDWR)
        #expect(flock(held.number, LOCK_EX | LOCK_NB) == 0)
        let report = try DiskRestore.run(
            estate.disk(of: snapshot), to: AbsolutePath(estate.temporary("out")), surroundings: estate.surroundings)
        #expect(report.leftovers == 1 && !exists(dead) && exists(running) && exists(other) && exists(link))
        #expect(try read(estate.temporary("out")) == read(estate.temporary("image")))
        flock(held.number, LOCK_UN)
        // Any file by itself is written so: the next one takes away what any of them has left.
        let path = AbsolutePath(estate.temporary("file"))
        let content = try NewFile.write(path, surroundings: estate.surroundings) { new in
            #expect(new.leftovers == 1 && !exists(running))
            try new.file.write([7])
            let written = try leftover()
            return try read(estate.temporary(try #require(written)))
        }
        #expect(try content == [7] && read(estate.temporary("file")) == [7])
        #expect(throws: Failure(.refused, "")) { try NewFile.write(path, surroundings: estate.surroundings) { _ in } }
        let never = AbsolutePath(estate.temporary("never"))
        #expect(throws: CancellationError.self) {
            try NewFile.write(never, surroundings: estate.surroundings) { _ in throw CancellationError() }
        }
        #expect(try !exists(estate.temporary("never")) && leftover() == nil)
    }

    /// The temporary file that is there, apart from those of other kinds and with other names.
    private func leftover() throws -> String? {
        let directory = try Directory(at: estate.temporary.path)
        let names = TemporaryName(.alone, in: try directory.status().inode)
        let found = try directory.entries().map(\.name).filter(names.matches)
        return try found.first { try directory.status(of: $0)?.links == 1 }.map { String(decoding: $0, as: UTF8.self) }
    }
}
