import Capture
import Glibc
import Platform
import Repository
import Sealing
import Support
import Testing

/// A second backup of a disk reads what a change map names, and is the same as one that reads everything; where the map
/// or the snapshot it counts from is of no use, it reads everything.
@Suite struct DiskChangesTests {
    private static let block = 65536
    private static let size = 200 * block + 4096

    /// A disk, a repository with a snapshot of it, and the blocks that were written since.
    private final class Desktop {
        let estate: Estate
        let images: Images
        let first: Snapshot
        private(set) var dirty: Set<Int> = []

        init(seed: UInt64 = 1, incomplete: UInt64 = 0) throws {
            estate = try Estate(seed: seed)
            images = try Images(seed)
            try images.raw("disk.raw", size: DiskChangesTests.size)
            let session = try estate.open().beginBackup()
            let (disk, _) = try DiskCapture.run(images.open("disk.raw"), into: session)
            first = try session.commit(Self.draft(disk, incomplete: incomplete))
        }

        static func draft(_ disk: DiskRef, incomplete: UInt64 = 0) -> BackupSession.Draft {
            .init(
                name: "desk", time: Timestamp(seconds: 1), host: "host",
                streams: [.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)], incomplete: incomplete)
        }

        func write(_ bytes: [UInt8], at offset: Int) throws {
            try images.patch("disk.raw", (offset, bytes))
            dirty.formUnion(offset / DiskChangesTests.block...(offset + bytes.count - 1) / DiskChangesTests.block)
        }

        func writeMap(_ marked: Set<Int>? = nil) throws {
            let (marked, size, block) = (marked ?? dirty, DiskChangesTests.size, DiskChangesTests.block)
            let elements = (0...size / block).map {
                #"{"start":\#($0 * block),"length":\#(min(block, size - $0 * block)),"dirty":\#(marked.contains($0))}"#
            }
            unlink(images("map"))
            try images.write(Array("[\(elements.joined(separator: ","))]".utf8), "map")
        }

        func changes(
            since: Digest? = nil, of name: String = "desk", label: String = "",
            size: UInt64 = UInt64(DiskChangesTests.size),
            in repository: Repository? = nil
        ) throws -> DiskChanges {
            try DiskChanges.find(
                AbsolutePath(images("map")), since: (since ?? first.id).hex, of: name, .init(label: label, size: size),
                in: repository ?? estate.open())
        }

        /// Captures by a map, and says what was done and whether the snapshot is the disk.
        func capture(
            _ changes: DiskChanges?
        ) throws -> (report: CaptureReport, isSame: Bool, new: UInt64, snapshot: Snapshot) {
            let session = try estate.open().beginBackup()
            let (disk, report) = try DiskCapture.run(images.open("disk.raw"), into: session, since: changes)
            let snapshot = try session.commit(Self.draft(disk))
            return (
                report, try estate.restored(snapshot) == images.bytes("disk.raw"), session.counters.newBytes, snapshot
            )
        }
    }

    @Test func onlyWhatChangedIsRead() throws {
        let desktop = try Desktop()
        var seed = Seed(4)
        try desktop.write(seed.bytes(10), at: 5)
        try desktop.write(seed.bytes(100_000), at: 100 * Self.block - 10)
        // What was written before, zeroed now; and the shorter block at the end.
        try desktop.write([UInt8](repeating: 0, count: Self.block), at: 30 * Self.block)
        try desktop.write(seed.bytes(4000), at: 200 * Self.block)
        try desktop.writeMap()
        let second = try desktop.capture(desktop.changes())
        #expect(second.isSame)
        #expect(second.report.wholeRead == nil)
        #expect(second.report.bytesRead <= UInt64(desktop.dirty.count * Self.block))
        #expect(second.report.bytesInherited > 0)
        // The same disk is the same tree, however it was read.
        let third = try desktop.capture(nil)
        #expect(third.snapshot.part.streams[0].content == second.snapshot.part.streams[0].content)
        #expect(third.new == 0)
        #expect(third.report.bytesRead > second.report.bytesRead)
    }

    @Test func nothingChangedNothingIsRead() throws {
        let desktop = try Desktop()
        try desktop.writeMap()
        let second = try desktop.capture(desktop.changes())
        #expect(second.isSame && second.report.bytesRead == 0 && second.new == 0)
    }

    @Test(arguments: 1...3)
    func roundAfterRound(seed number: UInt64) throws {
        let desktop = try Desktop(seed: number)
        var seed = Seed(number)
        var since = desktop.first.id
        for _ in 0..<6 {
            var marked: Set<Int> = []
            for _ in 0..<seed.below(8) {
                let bytes =
                    seed.below(3) == 0 ? [UInt8](repeating: 0, count: 150_000) : seed.bytes(1 + seed.below(150_000))
                let offset = seed.below(Self.size - bytes.count)
                try desktop.write(bytes, at: offset)
                marked.formUnion(offset / Self.block...(offset + bytes.count - 1) / Self.block)
            }
            // A bitmap may say too much.
            marked.formUnion((0..<seed.below(5)).map { _ in seed.below(201) })
            try desktop.writeMap(marked)
            let next = try desktop.capture(desktop.changes(since: since))
            #expect(next.isSame)
            #expect(next.report.bytesRead <= UInt64(marked.count * Self.block))
            since = next.snapshot.id
        }
    }

    /// This is what the documentation warns of.
    @Test func aMapThatLiesLosesWhatItConceals() throws {
        let desktop = try Desktop()
        try desktop.write([1, 2, 3], at: 0)
        try desktop.writeMap([])
        #expect(try !desktop.capture(desktop.changes()).isSame)
    }

    // MARK: - When all is read

    @Test func aMapOrASnapshotThatDoesNotFitTellsNothing() throws {
        let desktop = try Desktop()
        try desktop.writeMap()
        let other = Digest(words: (1, 2, 3, 4))
        #expect(throws: Failure(.notFound, "")) { try desktop.changes(since: other) }
        #expect(throws: Failure(.refused, "")) { try desktop.changes(of: "another") }
        #expect(throws: Failure(.notFound, "")) { try desktop.changes(label: "second") }
        #expect(throws: Failure(.damaged, "")) { try desktop.changes(size: UInt64(Self.size - 512)) }
        try desktop.images.write([], "empty")
        unlink(desktop.images("map"))
        #expect(throws: Failure(.notFound, "")) { try desktop.changes() }

        // The same map, of a disk that had another size then.
        try truncate(desktop, to: Self.size - 4096)
        let smaller = try desktop.capture(nil).snapshot
        try truncate(desktop, to: Self.size)
        try desktop.writeMap()
        #expect(throws: Failure(.refused, "")) { try desktop.changes(since: smaller.id) }

        let incomplete = try Desktop(seed: 2, incomplete: 1)
        try incomplete.writeMap()
        #expect(throws: Failure(.refused, "")) { try incomplete.changes() }
    }

    private func truncate(_ desktop: Desktop, to size: Int) throws {
        try #require(Glibc.truncate(desktop.images("disk.raw"), size) == 0)
    }

    @Test func aWriterWhoWasRevokedOrAReaderWithoutKeysTellsNothing() throws {
        let desktop = try Desktop()
        try desktop.writeMap()
        let repository = try desktop.estate.open()
        guard let secret = repository.keys.secret, let author = repository.keys.author else { return }
        var writer = Keys.none
        (writer.secret, writer.author) = (secret, author)
        let blind = try Repository.open(
            desktop.estate.store, .granted(writer), heads: NoHeadMemory(), surroundings: .seeded(8))
        #expect(throws: Failure(.refused, "")) { try desktop.changes(in: blind) }

        let written = try #require(repository.log.state.snapshots[desktop.first.id]?.author)
        try KeyChange([repository], surroundings: .seeded(9)).revoke([written])
        #expect(throws: Failure(.refused, "")) { try desktop.changes() }
        #expect(try desktop.capture(nil).isSame)
    }

    @Test func whereTheEarlierSnapshotCannotBeReadAllIs() throws {
        let desktop = try Desktop()
        try desktop.write([7], at: 90 * Self.block)
        try desktop.writeMap()
        let changes = try desktop.changes()
        for pack in desktop.estate.store.keys where pack.hasPrefix("packs/") {
            desktop.estate.store.alter(pack) { bytes in
                for at in stride(from: 100, to: bytes.count, by: 50) { bytes[at] ^= 1 }
            }
        }
        let session = try desktop.estate.open().beginBackup()
        let (_, report) = try DiskCapture.run(desktop.images.open("disk.raw"), into: session, since: changes)
        #expect(report.wholeRead?.code == .damaged)
        let whole = try DiskCapture.run(desktop.images.open("disk.raw"), into: session).report
        #expect(report.bytesRead >= whole.bytesRead)
        try session.abandon()
    }

    @Test func aBlockWhosePackIsGoneIsRead() throws {
        let desktop = try Desktop()
        try desktop.writeMap()
        let changes = try desktop.changes()
        // Its tree is known by now, and its packs go.
        try changes.earlier.forEachBlock { _, _ in }
        for pack in desktop.estate.store.keys where pack.hasPrefix("packs/") { desktop.estate.store.lose(pack) }
        let second = try desktop.capture(changes)
        #expect(second.isSame)
        #expect(second.report.bytesInherited == 0)
        #expect(second.report.wholeRead == nil)
    }
}
