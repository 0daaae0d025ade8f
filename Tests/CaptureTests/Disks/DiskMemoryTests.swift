import Capture
import Glibc
import Platform
import Repository
import Sealing
import Support
import Testing

/// Whoever writes and cannot read remembers where a disk's blocks went, so that change maps serve them.
@Suite struct DiskMemoryTests {
    private static let size = 40 * 65536 + 1024

    /// A machine that holds a writer's keys.
    private final class Writer {
        let estate: Estate
        let images: Images
        private let keys: Keys

        init(seed: UInt64 = 1) throws {
            estate = try Estate(seed: seed)
            images = try Images()
            let owner = try estate.open().keys
            var keys = Keys.none
            (keys.secret, keys.author) = (owner.secret, owner.author)
            self.keys = keys
            try images.raw("disk.raw", size: DiskMemoryTests.size)
            try mark([])
        }

        func open() throws -> Repository {
            try Repository.open(
                estate.store, .granted(keys), heads: NoHeadMemory(), surroundings: estate.surroundings)
        }

        func memory(_ repository: Repository) throws -> DiskMemory {
            DiskMemory(
                at: AbsolutePath(estate.temporary("state/disk")), secret: try #require(repository.keys.secret),
                repository: repository.id, surroundings: estate.surroundings)
        }

        /// A map that names these blocks.
        func mark(_ blocks: [Int]) throws {
            let elements = (0...40).map {
                #"{"start":\#($0 * 65536),"length":\#(min(65536, DiskMemoryTests.size - $0 * 65536)),"dirty":\#(blocks.contains($0))}"#
            }
            unlink(images("map"))
            try images.write(Array("[\(elements.joined(separator: ","))]".utf8), "map")
        }

        func backUp(since snapshot: Digest?, saving: Bool = true) throws -> (snapshot: Snapshot, report: CaptureReport)
        {
            let repository = try open()
            let memory = try memory(repository)
            let disk = EarlierDisk.Name(label: "", size: UInt64(DiskMemoryTests.size))
            let changes = try snapshot.map {
                try DiskChanges.find(
                    AbsolutePath(images("map")), since: $0.hex, of: "desk", disk, memory: memory, in: repository)
            }
            let session = try repository.beginBackup()
            let (reference, report) = try DiskCapture.run(
                images.open("disk.raw"), into: session, since: changes, memory: memory)
            let snapshot = try session.commit(
                .init(
                    name: "desk", time: Timestamp(seconds: 1), host: "host",
                    streams: [.init(label: "", content: .disk(reference), bytes: disk.size, files: 0)]))
            if saving { try memory.save(as: snapshot.id, disk) }
            return (snapshot, report)
        }
    }

    @Test func aWriterReadsOnlyWhatChanged() throws {
        let writer = try Writer()
        var last = try writer.backUp(since: nil).snapshot
        for round in 1...3 {
            try writer.images.patch("disk.raw", (round * 5 * 65536 + 100, [1, 2, UInt8(round)]), (40 * 65536, [9]))
            try writer.mark([round * 5, 40])
            let next = try writer.backUp(since: last.id)
            #expect(next.report.bytesRead <= 65536 + 1024)
            #expect(next.report.bytesInherited > 0)
            #expect(try writer.estate.restored(next.snapshot) == writer.images.bytes("disk.raw"))
            last = next.snapshot
        }
    }

    @Test func itIsTheWordOfOneSnapshotAndOfAllOfIt() throws {
        let writer = try Writer()
        let first = try writer.backUp(since: nil).snapshot
        // A backup that was not saved leaves the word of the one before.
        let second = try writer.backUp(since: first.id, saving: false).snapshot
        #expect(throws: Failure(.refused, "")) { try writer.backUp(since: second.id) }
        let third = try writer.backUp(since: first.id).snapshot
        #expect(throws: Failure(.refused, "")) { try writer.backUp(since: first.id) }

        let path = writer.estate.temporary("state/disk")
        let whole = try Descriptor.open(path, O_RDONLY).size()
        for cut in [whole - 1, whole / 2, 40, 0] {
            try #require(truncate(path, off_t(cut)) == 0)
            #expect(throws: Failure(.refused, "")) { try writer.backUp(since: third.id) }
        }
        #expect(try writer.backUp(since: nil).report.bytesInherited == 0)
    }

    @Test func anotherRepositorysOrADamagedOneTellsNothing() throws {
        let (writer, other) = (try Writer(), try Writer(seed: 2))
        let snapshot = try writer.backUp(since: nil).snapshot
        _ = try other.backUp(since: nil)
        let path = writer.estate.temporary("state/disk")
        let file = try Descriptor.open(path, O_RDWR)
        try [UInt8(0xAA)].withUnsafeBytes { try file.write($0, at: 200) }
        #expect(throws: Failure(.refused, "")) { try writer.backUp(since: snapshot.id) }
        try #require(rename(other.estate.temporary("state/disk"), path) == 0)
        #expect(throws: Failure(.refused, "")) { try writer.backUp(since: snapshot.id) }
    }
}
