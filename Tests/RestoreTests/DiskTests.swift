import Capture
import Glibc
import Platform
import Restore
import Support
import Testing

/// A raw disk image comes back block for block, with its holes.
@Suite struct DiskTests {
    /// Pieces of random bytes at offsets, in a file of a size.
    func image(_ path: String, size: Int, _ pieces: [(Int, Int)], seed number: UInt64 = 1) throws {
        var seed = Seed(number)
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL)
        try file.truncate(to: UInt64(size))
        for (offset, count) in pieces {
            try seed.bytes(count).withUnsafeBytes { try file.write($0, at: UInt64(offset)) }
        }
    }

    func restore(_ estate: Estate, _ path: String) throws -> (DiskRestore.Report, bytesRead: UInt64) {
        let (snapshot, report) = try estate.backUpDisk(path)
        let disk = try estate.disk(of: snapshot)
        let restored = try DiskRestore.run(
            disk, to: AbsolutePath(estate.temporary("restored")), surroundings: estate.surroundings)
        return (restored, report.bytesRead)
    }

    @Test(arguments: [0, 1, 512, 65536, 65537, 3_000_000, 67_108_864 + 5])
    func anImageOfAnySizeComesBack(size: Int) throws {
        let estate = try Estate()
        let path = estate.temporary("image")
        try image(
            path, size: size, size > 3 ? [(0, 3), (size / 2, min(100_000, size / 2)), (size - 1, 1)] : [(0, size)])
        _ = try restore(estate, path)
        #expect(try read(estate.temporary("restored")) == read(path))
    }

    @Test func holesAreNeitherReadNorWritten() throws {
        let estate = try Estate()
        let path = estate.temporary("image")
        try image(path, size: 4 << 30, [(1 << 20, 200_000), (3 << 30, 10)])
        let (restored, bytesRead) = try restore(estate, path)
        #expect(bytesRead < 2 << 20)
        #expect(restored.bytes == 4 << 30)
        #expect(restored.bytesWritten < 1 << 20)
        var raw = stat()
        try #require(stat(estate.temporary("restored"), &raw) == 0)
        #expect(raw.st_size == 4 << 30)
        #expect(raw.st_blocks * 512 < 2 << 20)
        let file = try Descriptor.open(estate.temporary("restored"), O_RDONLY)
        let source = try Descriptor.open(path, O_RDONLY)
        var (a, b) = ([UInt8](repeating: 1, count: 300_000), [UInt8](repeating: 2, count: 300_000))
        for offset: UInt64 in [0, 1 << 20, 3 << 30, (4 << 30) - 300_000] {
            _ = try a.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            _ = try b.withUnsafeMutableBytes { try source.read(into: $0, at: offset) }
            #expect(a == b)
        }
    }

    @Test func zerosThatWereWrittenAreNotStored() throws {
        let estate = try Estate()
        let path = estate.temporary("image")
        try write([UInt8](repeating: 0, count: 10 << 20), path)
        let (restored, _) = try restore(estate, path)
        #expect(restored.bytesWritten == 0)
        #expect(try read(estate.temporary("restored")) == [UInt8](repeating: 0, count: 10 << 20))
    }

    @Test func equalBlocksAreStoredOnce() throws {
        let estate = try Estate()
        let path = estate.temporary("image")
        var seed = Seed(9)
        let block = seed.bytes(65536)
        try write((0..<64).flatMap { _ in block }, path)
        _ = try restore(estate, path)
        #expect(try read(estate.temporary("restored")) == read(path))
        let stored = estate.store.keys.filter { $0.hasPrefix("packs/") }
        #expect(stored.count == 1)
    }

    @Test func aDamagedDiskIsNotLeft() throws {
        let estate = try Estate()
        let path = estate.temporary("image")
        try image(path, size: 8 << 20, [(0, 8 << 20)])
        let (snapshot, _) = try estate.backUpDisk(path)
        let disk = try estate.disk(of: snapshot)
        let pack = try #require(estate.store.keys.filter { $0.hasPrefix("packs/") }.first)
        estate.store.alter(pack) { $0[$0.count / 2] ^= 1 }
        #expect(throws: Failure(.damaged, "")) {
            try DiskRestore.run(
                disk, to: AbsolutePath(estate.temporary("restored")), surroundings: estate.surroundings)
        }
        #expect(try Directory(at: estate.temporary.path).entries().map(\.name).contains(Array("image".utf8)))
        #expect(try Directory(at: estate.temporary.path).entries().count == 2, "something of the image was left")
    }

    @Test func whatStandsIsNotOverwritten() throws {
        let estate = try Estate()
        let path = estate.temporary("image")
        try image(path, size: 100, [(0, 100)])
        let (snapshot, _) = try estate.backUpDisk(path)
        try write([1], estate.temporary("restored"))
        #expect(throws: Failure(.refused, "")) {
            try DiskRestore.run(
                try estate.disk(of: snapshot), to: AbsolutePath(estate.temporary("restored")),
                surroundings: estate.surroundings)
        }
        #expect(try read(estate.temporary("restored")) == [1])
    }
}
