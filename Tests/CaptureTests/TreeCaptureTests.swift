import Capture
import Glibc
import Platform
import Repository
import Support
import Synchronization
import Testing

/// The source lives while it is captured: what changes or cannot be had is said, and the rest is there.
@Suite struct TreeCaptureTests {
    @Test func ofSeveralPathsTheOneThatIsNotThereIsReported() throws {
        let estate = try Estate()
        try estate.write("file", [1])
        let (entries, report, _) = try estate.capture([estate.source, "/nowhere/at/all"])
        #expect(entries["\(estate.source)/file"]?.size == 1)
        #expect(report.unreadable == 1 && report.warnings.first?.path == "/nowhere/at/all")
        #expect(report.emptiness == nil)
    }

    @Test func pathsOfWhichNoneIsThereStopBeforeAnythingIsStored() throws {
        let estate = try Estate()
        let before = estate.store.keys
        let session = try estate.open().beginBackup()
        #expect(throws: Failure(.notFound, "")) {
            try TreeCapture(into: session).run([AbsolutePath("/nowhere"), AbsolutePath("/nowhere/at/all")])
        }
        #expect(session.counters.chunks == 0)
        #expect(estate.store.keys.filter { $0.hasPrefix("packs/") } == before.filter { $0.hasPrefix("packs/") })
    }

    @Test func directoriesOnTheWayHaveTheirOwnModesAndNothingElse() throws {
        let estate = try Estate()
        try estate.write("beside", [1])
        try Directory.make(at: Array("\(estate.source)/in/deep".utf8))
        try #require(chmod("\(estate.source)/in", 0o751) == 0)
        try estate.write("in/deep/file", [2])
        try estate.write("in/beside", [2])
        let (entries, report, _) = try estate.capture(["\(estate.source)/in/deep"])
        #expect(entries["\(estate.source)/in"]?.mode == 0o751)
        #expect(entries["\(estate.source)/in/deep/file"]?.size == 1)
        #expect(entries["\(estate.source)/beside"] == nil)
        #expect(entries["\(estate.source)/in/beside"] == nil)
        #expect(report.files == 1)
    }

    @Test func linksOnTheWayAreFollowedAndAtTheEndNot() throws {
        let estate = try Estate()
        try Directory.make(at: Array("\(estate.source)/real".utf8))
        try estate.write("real/file", [1])
        try #require(symlink("real", "\(estate.source)/alias") == 0)
        let (entries, _, _) = try estate.capture(["\(estate.source)/alias/file"])
        #expect(entries["\(estate.source)/alias"]?.kind == .directory)
        #expect(entries["\(estate.source)/alias/file"]?.kind == .file)
        let (second, _, _) = try estate.capture(["\(estate.source)/alias"])
        #expect(second["\(estate.source)/alias"]?.kind == .symbolicLink)
        #expect(second["\(estate.source)/alias/file"] == nil)
    }

    /// Appends to a file when some of it was read, as often as is said, and gives how often it did.
    private func growing(_ path: String, times: Int) -> (watch: @Sendable (CaptureReport) throws -> Void, Counter) {
        let counter = Counter()
        let watch: @Sendable (CaptureReport) throws -> Void = { report in
            // Once in each reading of 12 MiB.
            guard report.files == 0, report.bytesRead > UInt64(counter.count.withLock { $0 }) * 12 << 20,
                counter.count.withLock({ $0 }) < times
            else { return }
            counter.count.withLock { $0 += 1 }
            let file = try Descriptor.open(path, O_WRONLY | O_APPEND)
            try file.write([1, 2, 3])
        }
        return (watch, counter)
    }

    private final class Counter: Sendable {
        let count = Mutex(0)
    }

    @Test func aFileThatChangesWheneverItIsReadIsMarkedAndReported() throws {
        let estate = try Estate()
        var seed = Seed(1)
        try estate.write("growing", seed.bytes(12 << 20))
        try estate.write("still", [1])
        let path = "\(estate.source)/growing"
        var options = CaptureOptions()
        let (watch, counter) = growing(path, times: .max)
        options.watch = watch
        let (entries, report, _) = try estate.capture([estate.source], options: options)
        #expect(counter.count.withLock { $0 } == 3)
        #expect(report.changed == 1)
        #expect(report.warnings.map(\.kind) == [.changed])
        #expect(entries[path]?.changedWhileRead == true)
        #expect(entries[path]?.size == 12 << 20 + 6)
        #expect(entries["\(estate.source)/still"]?.changedWhileRead == false)
    }

    @Test(arguments: [1, 2]) func aFileThatComesToRestIsReadAgainAndWhole(times: Int) throws {
        let estate = try Estate()
        var seed = Seed(1)
        try estate.write("growing", seed.bytes(12 << 20))
        let path = "\(estate.source)/growing"
        var options = CaptureOptions()
        options.watch = growing(path, times: times).watch
        let (entries, report, _) = try estate.capture([estate.source], options: options)
        #expect(report.isComplete && report.warnings.isEmpty)
        #expect(entries[path]?.changedWhileRead == false)
        #expect(entries[path]?.size == UInt64(12 << 20 + 3 * times))
        #expect(report.bytesRead > UInt64(times) * 12 << 20)
    }

    @Test func aFileThatShrinksWhileItIsReadIsReadAgain() throws {
        let estate = try Estate()
        var seed = Seed(1)
        try estate.write("shrinking", seed.bytes(12 << 20))
        let path = "\(estate.source)/shrinking"
        var options = CaptureOptions()
        options.watch = { report in
            if report.bytesRead > 0, truncate(path, 100) != 0 { throw Failure.system(errno, path) }
        }
        let (entries, report, _) = try estate.capture([estate.source], options: options)
        #expect(report.isComplete)
        let entry = try #require(entries[path])
        #expect(entry.size == 100 && entry.size == entry.content?.length)
    }

    @Test func aFileThatVanishesIsReportedAndTheRestGoesOn() throws {
        let estate = try Estate()
        for name in ["a", "b", "c"] { try estate.write(name, [1]) }
        var options = CaptureOptions()
        let path = "\(estate.source)/b"
        options.watch = { _ in _ = unlink(path) }
        let (entries, report, _) = try estate.capture([estate.source], options: options)
        #expect(report.vanished == 1)
        #expect(report.incomplete == 0)
        #expect(entries["\(estate.source)/a"] != nil && entries["\(estate.source)/c"] != nil)
        #expect(entries[path] == nil)
    }

    @Test func aDirectoryThatBecomesALinkIsNotFollowed() throws {
        let estate = try Estate()
        try estate.write("a", [1])
        try Directory.make(at: Array("\(estate.source)/b".utf8))
        try estate.write("b/inside", [1])
        var options = CaptureOptions()
        let path = "\(estate.source)/b"
        options.watch = { _ in
            _ = rename(path, path + "-moved")
            _ = symlink("/etc", path)
        }
        let (entries, _, _) = try estate.capture([estate.source], options: options)
        #expect(entries["\(path)/hostname"] == nil && entries["\(path)/passwd"] == nil)
    }

    @Test func whatCannotBeReadIsReportedAndLeftOut() throws {
        let estate = try Estate()
        try estate.write("fine", [1])
        // A file of the kernel that can be written and not read.
        let unreadable = "/sys/bus/pci/rescan"
        guard access(unreadable, F_OK) == 0 else { return }
        let (entries, report, _) = try estate.capture([estate.source, unreadable])
        #expect(report.unreadable == 1)
        #expect(!report.isComplete)
        #expect(report.warnings.first?.path == unreadable)
        #expect(entries[unreadable] == nil)
        #expect(entries["\(estate.source)/fine"] != nil)
    }

    @Test func pseudoFileSystemsAreSkippedAndOthersCrossed() throws {
        let estate = try Estate()
        for name in ["memory", "kernel"] { try Directory.make(at: Array("\(estate.source)/\(name)".utf8)) }
        guard mount("tmpfs", "\(estate.source)/memory", "tmpfs", 0, "size=1m") == 0 else { return }  // needs root
        defer { umount2("\(estate.source)/memory", 2) }
        try #require(mount("proc", "\(estate.source)/kernel", "proc", 0, nil) == 0)
        defer { umount2("\(estate.source)/kernel", 2) }
        try estate.write("memory/file", [1])
        let (entries, report, _) = try estate.capture([estate.source])
        #expect(entries["\(estate.source)/memory/file"] != nil)
        #expect(entries["\(estate.source)/kernel"]?.content?.length == 0)
        #expect(report.warnings.map(\.kind) == [.skipped])
        #expect(report.isComplete)
        var options = CaptureOptions()
        options.oneFileSystem = true
        let (fewer, _, _) = try estate.capture([estate.source], options: options)
        #expect(fewer["\(estate.source)/memory"] != nil)
        #expect(fewer["\(estate.source)/memory/file"] == nil)
    }

    @Test func aDirectoryThatIsLeftOutIsNotThere() throws {
        let estate = try Estate()
        try Directory.make(at: Array("\(estate.source)/vault/packs".utf8))
        try estate.write("vault/packs/x", [1])
        try estate.write("file", [1])
        var options = CaptureOptions()
        options.leaveOut = [AbsolutePath("\(estate.source)/vault")]
        let (entries, report, _) = try estate.capture([estate.source], options: options)
        #expect(entries["\(estate.source)/vault"] == nil)
        #expect(entries["\(estate.source)/file"] != nil)
        #expect(report.isComplete)
        // Alone it is no backup, and no rights would make it one.
        let (_, alone, _) = try estate.capture(["\(estate.source)/vault"], options: options)
        let emptiness = try #require(alone.emptiness)
        #expect(emptiness.what.contains("the vault that it goes to") && !emptiness.advice.contains("owner"))
    }

    @Test func namesOfOneFileAreReadOnceAndShareANumber() throws {
        let estate = try Estate()
        var seed = Seed(1)
        try estate.write("one", seed.bytes(100_000))
        try #require(link("\(estate.source)/one", "\(estate.source)/two") == 0)
        try estate.write("alone", [1])
        let (entries, report, _) = try estate.capture([estate.source])
        let number = try #require(entries["\(estate.source)/one"]).link
        #expect(number != 0)
        #expect(entries["\(estate.source)/two"]?.link == number)
        #expect(entries["\(estate.source)/alone"]?.link == 0)
        #expect(report.bytesRead == 100_001)
        #expect(report.bytes == 100_001)
        #expect(report.files == 3)
    }

    @Test func holesAreNotRead() throws {
        let estate = try Estate()
        let path = "\(estate.source)/sparse"
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT)
        try file.truncate(to: 1 << 40)
        try ([1, 2, 3] as [UInt8]).withUnsafeBytes { try file.write($0, at: 1 << 39) }
        let (entries, report, _) = try estate.capture([path])
        #expect(entries[path]?.size == 1 << 40)
        #expect(report.bytesRead < 1 << 20)
    }

    @Test func readingLeavesTheTimeOfLastAccessAlone() throws {
        let estate = try Estate()
        try estate.write("file", [1])
        let path = "\(estate.source)/file"
        let times = [timespec(tv_sec: 1000, tv_nsec: 1), timespec(tv_sec: 2000, tv_nsec: 2)]
        try #require(utimensat(AT_FDCWD, path, times, 0) == 0)
        _ = try estate.capture([estate.source])
        var raw = stat()
        try #require(stat(path, &raw) == 0)
        #expect(raw.st_atim.tv_sec == 1000)
    }

    @Test func whatTheWatcherThrowsEndsTheCapture() throws {
        let estate = try Estate()
        try estate.write("file", [1])
        var options = CaptureOptions()
        options.watch = { _ in throw Failure(.cancelled, "asked to stop") }
        #expect(throws: Failure(.cancelled, "")) { try estate.capture([estate.source], options: options) }
    }

    @Test func aFullVaultEndsTheCapture() throws {
        let estate = try Estate(store: StrictStore(capacity: 20 << 20))
        var seed = Seed(1)
        for number in 0..<20 { try estate.write("file-\(number)", seed.bytes(3 << 20)) }
        #expect(throws: Failure(.full, "")) { try estate.capture([estate.source]) }
    }

    @Test func pathsAreMadeAbsoluteByTheirLetters() {
        let here = Array("/home/user".utf8)
        #expect(AbsolutePath("a/b", from: here).description == "/home/user/a/b")
        #expect(AbsolutePath("./a//b/./", from: here).description == "/home/user/a/b")
        #expect(AbsolutePath("../x", from: here).description == "/home/x")
        #expect(AbsolutePath("/../..//x/../y", from: here).description == "/y")
        #expect(AbsolutePath("/").components.isEmpty)
    }
}
