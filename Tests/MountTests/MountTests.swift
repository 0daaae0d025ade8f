import Browse
import Glibc
import Mount
import Platform
import ReadingEstate
import Repository
import Sealing
import Support
import Testing

/// What is mounted is what was backed up, and nothing else.
@Suite struct MountTests {
    @Test func aTreeOfEverythingIsThereAsItWas() throws {
        let estate = try ReadingEstate("mount")
        let omissions = try AwkwardTree.build(at: estate.source)
        let mounted = try Mounted(.one(try estate.backUp()), estate)
        defer { mounted.end() }
        let differences = try TreeComparison.differences(estate.source, mounted.path + estate.source)
        #expect(differences == [], "omitted: \(omissions.names)")
        #expect(mounted.complaints == [])
    }

    @Test func snapshotsLieBelowTheirNamesAndTimesAndDisksAreFiles() throws {
        let estate = try ReadingEstate("mount")
        try estate.write([1], "file")
        let first = try estate.backUp(name: "desk/one", seconds: 1)
        try estate.write([2], "file")
        let second = try estate.backUp(name: "desk/one", seconds: 2)
        let image = estate.temporary("image")
        var seed = Seed(1)
        let bytes = seed.bytes(200_000) + [UInt8](repeating: 0, count: 1_000_000) + seed.bytes(77)
        try Descriptor.open(image, O_WRONLY | O_CREAT).write(bytes)
        let disk = try estate.backUpDisk(image, name: "..")
        let mounted = try Mounted(
            .all([
                .init(snapshot: first, label: "one"), .init(snapshot: second, label: "two"),
                .init(snapshot: second, label: "two"), .init(snapshot: disk, label: "boot"),
            ]), estate)
        defer { mounted.end() }
        #expect(try names(in: mounted.path) == ["_..", "desk_one"])
        let twice = "two-\(second.id.hex.prefix(12))"
        #expect(try names(in: "\(mounted.path)/desk_one") == ["one", "two", twice])
        #expect(contents("\(mounted.path)/desk_one/one\(estate.source)/file") == .success([1]))
        #expect(contents("\(mounted.path)/desk_one/\(twice)\(estate.source)/file") == .success([2]))
        #expect(contents("\(mounted.path)/_../boot/disk.raw") == .success(bytes))
        let file = try Descriptor.open("\(mounted.path)/_../boot/disk.raw", O_RDONLY)
        #expect(try file.seekHole(from: 0) == 262_144)
        #expect(try file.seekData(from: 262_144) == 1_179_648)
    }

    @Test func namesAreFoundInADirectoryOfThousands() throws {
        let estate = try ReadingEstate("mount")
        for number in 0..<3000 { try estate.write(Array("\(number)".utf8), "many/file-\(number)") }
        let mounted = try Mounted(.one(try estate.backUp()), estate)
        defer { mounted.end() }
        let place = "\(mounted.path)\(estate.source)/many"
        // Looked up one by one, before the directory was ever listed.
        for number in [0, 1, 63, 64, 65, 999, 2999] {
            #expect(contents("\(place)/file-\(number)") == .success(Array("\(number)".utf8)))
        }
        for absent in ["file-", "file-3000", "a", "zzz", "file-1x"] {
            #expect(contents("\(place)/\(absent)") == .failure(ErrorNumber(ENOENT)))
        }
        #expect(try names(in: place).count == 3000)
        // Going back in a listing gives the same again.
        let stream = try #require(opendir(place))
        defer { closedir(stream) }
        func next() -> String? {
            readdir(stream).map { entry in
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            }
        }
        for _ in 0..<1500 { _ = next() }
        let mark = telldir(stream)
        let rest = (0..<20).map { _ in next() }
        seekdir(stream, mark)
        #expect((0..<20).map { _ in next() } == rest)
    }

    @Test func aPieceOfALargeFileIsReadByItself() throws {
        let estate = try ReadingEstate("mount")
        var seed = Seed(2)
        let bytes = seed.bytes(20_000_000)
        try estate.write(bytes, "large")
        let mounted = try Mounted(.one(try estate.backUp()), estate)
        defer { mounted.end() }
        let file = try Descriptor.open("\(mounted.path)\(estate.source)/large", O_RDONLY)
        for _ in 0..<200 {
            let offset = seed.below(bytes.count)
            let count = 1 + seed.below(300_000)
            var got = [UInt8](repeating: 0, count: count)
            let read = try got.withUnsafeMutableBytes { try file.read(into: $0, at: UInt64(offset)) }
            #expect(Array(got[..<read]) == Array(bytes[offset..<min(offset + count, bytes.count)]))
        }
    }

    @Test func whatIsDamagedIsAnErrorAndNeverWrongBytes() throws {
        let estate = try ReadingEstate("mount")
        var seed = Seed(6)
        let files = (0..<8).map { _ in seed.bytes(2_000_000) }
        for (number, bytes) in files.enumerated() { try estate.write(bytes, "file-\(number)") }
        let snapshot = try estate.backUp()
        estate.damagePacks()
        let mounted = try Mounted(.one(snapshot), estate)
        defer { mounted.end() }
        var lost: [String] = []
        for (number, bytes) in files.enumerated() {
            switch contents("\(mounted.path)\(estate.source)/file-\(number)") {
            case .success(let got): #expect(got == bytes)
            case .failure(let error):
                #expect(error.number == EIO)
                lost.append("\(estate.source)/file-\(number)")
            }
        }
        #expect(lost.count >= 1 && lost.count < 8)
        for path in lost { #expect(mounted.complaints.contains { $0.hasPrefix("\(path) cannot be read: ") }) }
        #expect(mounted.complaints.allSatisfy { line in lost.contains { line.hasPrefix($0) } })
    }

    @Test func aHostileSnapshotGivesErrorsNotACrash() throws {
        let estate = try ReadingEstate("mount")
        let snapshot = try estate.forge { session in
            func named(_ name: String) throws -> TreeEntry {
                var entry = try ReadingEstate.file("x", [6], session)
                entry.name = Array(name.utf8)
                return entry
            }
            let huge = TreeEntry(
                name: Array("huge".utf8), kind: .file, mode: 0o600, owner: 0, group: 0,
                modified: .init(seconds: .min, nanoseconds: 0), size: 1 << 62,
                content: ContentRef(length: 1 << 62, depth: 0, chunks: [ChunkRef(id: .hole, length: 1 << 62)]))
            let lost = TreeEntry(
                name: Array("lost".utf8), kind: .file, mode: 0o600, owner: 0, group: 0,
                modified: .init(seconds: 0, nanoseconds: 0), size: 5,
                content: ContentRef(
                    length: 5, depth: 0, chunks: [ChunkRef(id: ChunkID(SHA256.hash([1])), length: 5)]))
            // Content that says it is a list.
            let odd = TreeEntry(
                name: Array("odd".utf8), kind: .file, mode: 0o600, owner: 0, group: 0,
                modified: .init(seconds: 0, nanoseconds: 0), size: 1,
                content: ContentRef(length: 1, depth: 3, chunks: try named("y").content?.chunks ?? []))
            var deep = try ReadingEstate.file("bottom", [1], session)
            for _ in 0..<400 { deep = try ReadingEstate.directory("d", [deep], session) }
            return try ReadingEstate.content(
                [
                    deep, ReadingEstate.directory("dots", [named("..")], session), huge,
                    ReadingEstate.directory("long", [named(String(repeating: "n", count: 300))], session), lost,
                    odd, ReadingEstate.directory("slash", [named("a/b")], session),
                    ReadingEstate.directory("twice", [named("a"), named("a")], session),
                    try named("whole"),
                ], session)
        }
        let mounted = try Mounted(.one(snapshot), estate)
        defer { mounted.end() }
        let place = mounted.path
        #expect(try names(in: place) == ["d", "dots", "huge", "long", "lost", "odd", "slash", "twice", "whole"])
        #expect(contents("\(place)/whole") == .success([6]), "\(mounted.complaints)")
        for name in ["lost", "odd"] { #expect(contents("\(place)/\(name)") == .failure(ErrorNumber(EIO))) }
        for name in ["dots", "long", "slash"] {
            #expect(throws: Failure.self) { try names(in: "\(place)/\(name)") }
            #expect(contents("\(place)/\(name)/x") == .failure(ErrorNumber(EIO)), "\(name): \(mounted.complaints)")
        }
        let file = try Descriptor.open("\(place)/huge", O_RDONLY)
        var bytes: [UInt8] = [1, 1]
        #expect(try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: (1 << 62) - 1) } == 1)
        #expect(bytes == [0, 1])
        #expect(
            contents(place + String(repeating: "/d", count: 400) + "/bottom") == .success([1]))
    }

    @Test func theKernelIsAskedToForgetWhenItHoldsTooMuch() throws {
        let estate = try ReadingEstate("mount")
        for number in 0..<5000 { try estate.write([], "many-\(number % 5)/file-\(number)") }
        var limits = MountLimits()
        limits.nodes = 300
        let mounted = try Mounted(.one(try estate.backUp()), estate, limits: limits)
        defer { mounted.end() }
        var raw = stat()
        for number in 0..<5000 {
            try #require(lstat("\(mounted.path)\(estate.source)/many-\(number % 5)/file-\(number)", &raw) == 0)
        }
        // It forgets in its own time.
        let deadline = Deadline.after(.seconds(60))
        while mounted.session.held > 2000, !deadline.hasPassed { sched_yield() }
        #expect(mounted.session.held <= 2000)
        #expect(try TreeComparison.differences(estate.source, mounted.path + estate.source) == [])
    }

    @Test func programsOfSeveralThreadsReadAtOnce() throws {
        let estate = try ReadingEstate("mount")
        var seed = Seed(8)
        let files = (0..<24).map { _ in seed.bytes(300_000 + seed.below(900_000)) }
        for (number, bytes) in files.enumerated() { try estate.write(bytes, "file-\(number)") }
        var limits = MountLimits()
        // Less than one file, so that everything is let go of and read again.
        (limits.frameBytes, limits.chunkBytes) = (1 << 16, 1 << 16)
        let mounted = try Mounted(.one(try estate.backUp()), estate, limits: limits)
        defer { mounted.end() }
        let place = "\(mounted.path)\(estate.source)"
        try Workers.concurrently(6) { worker in
            for number in files.indices {
                let file = (number + worker * 4) % files.count
                guard contents("\(place)/file-\(file)") == .success(files[file]) else {
                    throw Failure(.failed, "file \(file) has other bytes")
                }
            }
        }
    }

    // MARK: - The beginning and the end

    @Test func nothingIsLeftWhenItIsStopped() throws {
        let estate = try ReadingEstate("mount")
        try estate.write([1], "file")
        let snapshot = try estate.backUp()
        var mounted: Mounted? = try Mounted(.one(snapshot), estate)
        defer { mounted?.end() }
        let path = try #require(mounted?.path)
        #expect(Mounted.isMounted(path))
        // A file that is open when it ends is in nobody's way.
        let file = try Descriptor.open("\(path)\(estate.source)/file", O_RDONLY)
        mounted?.session.stop()
        mounted?.waitForEnd()
        #expect(!Mounted.isMounted(path))
        #expect(try names(in: path) == [])
        // Its program is gone with the session; the kernel then answers for it.
        mounted = nil
        _ = consume file
    }

    @Test func itEndsWhenSomebodyElseUnmounts() throws {
        let estate = try ReadingEstate("mount")
        let mounted = try Mounted(.one(try estate.backUp()), estate)
        defer { mounted.end() }
        _ = try ChildProcess.run("umount", [mounted.path], scratch: estate.temporary.path, limit: .seconds(60))
        mounted.waitForEnd()
        #expect(mounted.complaints == [])
        #expect(!Mounted.isMounted(mounted.path))
    }

    @Test func nothingCanBeWritten() throws {
        let estate = try ReadingEstate("mount")
        try estate.write([1], "file")
        let mounted = try Mounted(.one(try estate.backUp()), estate)
        defer { mounted.end() }
        let file = "\(mounted.path)\(estate.source)/file"
        #expect(open(file, O_WRONLY) == -1 && errno == EROFS)
        #expect(unlink(file) == -1 && errno == EROFS)
        #expect(mkdir("\(mounted.path)/new", 0o700) == -1 && errno == EROFS)
        #expect(chmod(file, 0o777) == -1 && errno == EROFS)
    }

    @Test func aPlaceThatHoldsSomethingIsRefused() throws {
        let estate = try ReadingEstate("mount")
        let snapshot = try estate.backUp()
        try Directory.make(at: Array(estate.temporary("mount/mine").utf8))
        #expect(throws: Failure(.refused, "")) { try Mounted(.one(snapshot), estate) }
        #expect(throws: Failure(.notFound, "")) {
            try MountSession(
                .one(snapshot), try Readers(try estate.open()), at: Array(estate.temporary("nowhere").utf8)
            ) { _ in }
        }
        #expect(try names(in: estate.temporary("mount")) == ["mine"])
    }
}
