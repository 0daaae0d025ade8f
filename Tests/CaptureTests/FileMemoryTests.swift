import Capture
import Glibc
import Platform
import Repository
import Support
import Testing

/// A file that has not changed is not read again, and one that has is.
@Suite struct FileMemoryTests {
    /// A capture with the memory of the one before. The clock of the tests stands in 2027, long after any change.
    func capture(
        _ estate: Estate
    ) throws -> (entries: [String: TreeEntry], report: CaptureReport, counters: BackupSession.Counters) {
        var options = CaptureOptions()
        let memory = try estate.memory()
        options.memory = memory
        let result = try estate.capture([estate.source], options: options)
        try memory.save()
        return result
    }

    @Test func anUnchangedFileIsNotReadAgain() throws {
        let estate = try Estate()
        try AwkwardTree.build(at: estate.source)
        let (first, report, _) = try capture(estate)
        #expect(report.bytesRead > 1 << 20)
        for _ in 0..<3 {
            let (again, second, counters) = try capture(estate)
            let differing = first.filter { $0.key.hasPrefix(estate.source) && again[$0.key] != $0.value }
            #expect(differing.keys.sorted() == [])
            #expect(again.count == first.count)
            #expect(second.bytesRead == 0)
            #expect(second.bytes == report.bytes)
            // The directory that all tests share may have changed.
            #expect(counters.newBytes < 1000)
        }
    }

    @Test func aChangedFileIsReadEvenWithItsOldSizeAndTime() throws {
        let estate = try Estate()
        try estate.write("changed", [1, 2, 3])
        try estate.write("still", [4, 5, 6, 7])
        let path = "\(estate.source)/changed"
        var before = stat()
        try #require(stat(path, &before) == 0)
        let (first, _, _) = try capture(estate)
        let file = try Descriptor.open(path, O_WRONLY)
        try file.write([9, 9, 9])
        // Until the kernel's clock has moved on from the tick of the file's making.
        var after = stat()
        repeat {
            let times = [before.st_atim, before.st_mtim]
            try #require(utimensat(AT_FDCWD, path, times, 0) == 0)
            try #require(stat(path, &after) == 0)
        } while after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec
        let (second, report, _) = try capture(estate)
        #expect(report.bytesRead == 3)
        #expect(second[path]?.content != first[path]?.content)
        #expect(second[path]?.modified == first[path]?.modified)
    }

    @Test func aFileThatChangedJustNowIsNotRemembered() throws {
        let estate = try Estate(now: Timestamp(seconds: Int64(time(nil))))
        try estate.write("fresh", [1, 2, 3])
        _ = try capture(estate)
        let (_, report, _) = try capture(estate)
        #expect(report.bytesRead == 3)
    }

    @Test func whatWasNeverCommittedIsReadAgain() throws {
        let estate = try Estate()
        try estate.write("file", [1, 2, 3])
        let session = try estate.open().beginBackup()
        var options = CaptureOptions()
        let memory = try estate.memory()
        options.memory = memory
        _ = try TreeCapture(into: session, options: options).run([AbsolutePath(estate.source)])
        try session.abandon()
        try memory.save()
        let (entries, report, _) = try capture(estate)
        #expect(report.bytesRead == 3)
        #expect(entries["\(estate.source)/file"]?.size == 3)
    }

    @Test(arguments: [0, 4, 20, 60])
    func aDamagedMemoryIsForgotten(offset: Int) throws {
        let estate = try Estate()
        try estate.write("file", [1, 2, 3])
        _ = try capture(estate)
        let path = estate.temporary("state/memory")
        let file = try Descriptor.open(path, O_RDWR)
        var byte: [UInt8] = [0]
        _ = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: UInt64(offset)) }
        byte[0] ^= 0x10
        try byte.withUnsafeBytes { try file.write($0, at: UInt64(offset)) }
        let (_, report, _) = try capture(estate)
        #expect(report.bytesRead == 3)
        let (_, again, _) = try capture(estate)
        #expect(again.bytesRead == 0)
    }

    @Test func aLargeFileIsNotReadAgainEither() throws {
        let estate = try Estate()
        var seed = Seed(5)
        // Chunks of 128 KiB on average: many more than a list takes at one level.
        try estate.write("large", seed.bytes(80 << 20))
        try estate.write("small", [1, 2, 3])
        let (first, report, _) = try capture(estate)
        #expect(report.bytesRead == 80 << 20 + 3)
        #expect(first["\(estate.source)/large"]?.content?.depth == 1)
        for _ in 0..<2 {
            let (again, second, counters) = try capture(estate)
            #expect(second.bytesRead == 0 && second.bytes == report.bytes)
            #expect(again["\(estate.source)/large"] == first["\(estate.source)/large"])
            #expect(counters.newBytes < 1000)
        }
    }

    @Test func aLargeFileOfWhichAPackIsGoneIsReadAgain() throws {
        let estate = try Estate()
        var seed = Seed(6)
        try estate.write("large", seed.bytes(80 << 20))
        let (first, _, _) = try capture(estate)
        let pack = try #require(estate.store.keys.filter { $0.hasPrefix("packs/") }.dropFirst().first)
        estate.store.lose(pack)
        let (again, report, counters) = try capture(estate)
        #expect(report.bytesRead == 80 << 20)
        #expect(counters.newBytes > 0 && counters.newBytes < 60 << 20)
        #expect(again["\(estate.source)/large"]?.content == first["\(estate.source)/large"]?.content)
    }

    @Test func anUnchangedFileIsNotEvenOpened() throws {
        let estate = try Estate()
        try estate.write("file", [1, 2, 3])
        let path = "\(estate.source)/file"
        let file = try Descriptor.open(path, O_RDWR)
        let attribute = FileAttributes.Extended(name: Array("user.kept".utf8), value: [118])
        let hasAttribute =
            (try? FileAttributes(of: file.number, located: false, label: path).set(attribute)) != nil
        let (first, _, _) = try capture(estate)
        let opens = Descriptor(owning: inotify_init(), label: "who opens the file")
        try #require(fcntl(opens.number, F_SETFL, O_NONBLOCK) == 0)
        let whenOpened: UInt32 = 0x20
        try #require(inotify_add_watch(opens.number, path, whenOpened) >= 0)
        let (second, report, _) = try capture(estate)
        #expect(report.bytesRead == 0 && report.files == 1)
        #expect(second[path] == first[path])
        if hasAttribute { #expect(second[path]?.extendedAttributes.map(\.value) == [[118]]) }
        var event = [UInt8](repeating: 0, count: 64)
        #expect(read(opens.number, &event, event.count) < 0)
        _ = try Descriptor.open(path, O_RDONLY)
        #expect(read(opens.number, &event, event.count) > 0)
    }

    @Test func whatACutOffCaptureReadIsNotReadAgainByTheNext() throws {
        let estate = try Estate()
        var seed = Seed(7)
        for name in ["a", "b", "c"] { try estate.write(name, seed.bytes(100_000)) }
        _ = try capture(estate)
        try estate.write("d", seed.bytes(100_000))
        // Everything is stored, and then the program is gone before it saves: as when it is killed.
        var options = CaptureOptions()
        do {
            let memory = try estate.memory()
            options.memory = memory
            _ = try estate.capture([estate.source], options: options)
            try memory.leave()
        }
        options.memory = nil
        let (_, report, _) = try capture(estate)
        #expect(report.bytesRead == 0)
        let (_, again, _) = try capture(estate)
        #expect(again.bytesRead == 0)
    }

    @Test func twoCapturesAtOnceDoNotMixTheirMemories() throws {
        let estate = try Estate()
        try estate.write("file", [1, 2, 3])
        let (first, second) = (try estate.memory(), try estate.memory())
        for memory in [first, second] {
            var options = CaptureOptions()
            options.memory = memory
            _ = try estate.capture([estate.source], options: options)
        }
        try second.save()
        try first.save()
        let (_, report, _) = try capture(estate)
        #expect(report.bytesRead == 0)
    }

    @Test func aMemoryThatWasCutOffServesAsFarAsItGoes() throws {
        let estate = try Estate()
        for number in 0..<3000 { try estate.write("f\(number)", [UInt8(truncatingIfNeeded: number), 1, 2]) }
        _ = try capture(estate)
        let path = estate.temporary("state/memory")
        let size = try Descriptor.open(path, O_RDONLY).size()
        #expect(size > 150 << 10)
        try #require(truncate(path, off_t(size) - 70_000) == 0)
        let (_, report, _) = try capture(estate)
        #expect(report.bytesRead > 0 && report.bytesRead < 3 * 2500)
    }
}
