import Chunking
import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// What a snapshot stores comes back bit for bit, in another process's eyes.
struct RoundTripTests {
    @Test func aCommittedSnapshotReadsBack() throws {
        let estate = try Estate(seed: 1)
        let repository = try estate.open()
        let session = try repository.beginBackup()
        let content = estate.bytes(3_000_000)
        var writer = session.makeContentWriter(.data)
        var offset = 0
        while true {
            let given = try writer.fill { target in
                let count = min(target.count, content.count - offset, 70_000)
                target.copyBytes(from: content[offset..<offset + count])
                return count
            }
            if given == 0 { break }
            offset += given
        }
        try writer.hole(1_000_000)
        let reference = try writer.finish()
        #expect(reference.length == 4_000_000)
        let entry = TreeEntry(
            name: Array("文件".utf8), kind: .file, mode: 0o644, owner: 1, group: 2,
            modified: .init(seconds: -5, nanoseconds: 7), size: reference.length, content: reference)
        var directory = session.makeContentWriter(.tree)
        try directory.append(entry.framed)
        let root = try directory.finish()
        let snapshot = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 1_700_000_000), host: "h",
                streams: [.init(label: "", content: .tree(root), bytes: reference.length, files: 1)]))

        let again = try estate.open()
        let found = try again.findSnapshot("latest:desk")
        #expect(found.id == snapshot.id)
        let reader = try SnapshotReader(again, found)
        guard case .tree(let tree) = found.part.streams[0].content else { throw Failure(.failed, "no tree") }
        var entries: [TreeEntry] = []
        try reader.forEachEntry(of: tree) { entries.append($0) }
        #expect(entries == [entry])
        var read: [UInt8] = []
        try reader.forEachChunk(of: reference) { chunk, _ in
            read += chunk.id == .hole ? [UInt8](repeating: 0, count: Int(chunk.length)) : try reader.read(chunk.id)
        }
        #expect(read == content + [UInt8](repeating: 0, count: 1_000_000))
    }

    @Test func aVaultThatLostItsGenesisIsNotTakenForAnEmptyOne() throws {
        let store = StrictStore()
        let estate = try Estate(seed: 4, store: store)
        _ = try estate.backUp(estate.bytes(1000), name: "a")
        store.lose("log/0000000000000000")
        #expect(throws: Failure(.refused, "")) {
            try Repository.create(
                in: store, charter: estate.bundle.charter, slots: [],
                site: try SigningKey(random: estate.surroundings), surroundings: estate.surroundings)
        }
    }

    @Test func theSameContentAgainStoresNothingNew() throws {
        let estate = try Estate(seed: 2)
        let content = estate.bytes(2_000_000)
        let first = try estate.backUp(content, name: "a")
        let second = try estate.backUp(content, name: "a")
        #expect(first.part.storedBytes > 2_000_000)
        #expect(second.part.storedBytes == 0)
        #expect(second.clear.previous == first.id)
        #expect(try estate.content(of: second) == content)
    }

    @Test func aDiskReadsBackAndItsHolesCostNothing() throws {
        let estate = try Estate(seed: 3)
        let repository = try estate.open()
        let session = try repository.beginBackup()
        let size: UInt64 = (200 << 30) + 1234
        var writer = try DiskWriter(session, size: size)
        let block = estate.bytes(65536)
        let tail = estate.bytes(1234)
        try block.withUnsafeBytes { try writer.put(5, $0) }
        try block.withUnsafeBytes { try writer.put(2_000_000, $0) }
        try tail.withUnsafeBytes { try writer.put(size / 65536, $0) }
        let disk = try writer.finish()
        let snapshot = try session.commit(
            .init(
                name: "disk", time: Timestamp(seconds: 0), host: "",
                streams: [.init(label: "", content: .disk(disk), bytes: size, files: 0)]))
        #expect(snapshot.part.storedBytes < 400_000)
        let reader = DiskReader(try SnapshotReader(repository, snapshot), disk)
        var buffer = [UInt8](repeating: 1, count: 65536 * 2)
        try buffer.withUnsafeMutableBytes { try reader.read(at: 5 * 65536 - 100, into: $0) }
        #expect(Array(buffer[0..<100]).allSatisfy { $0 == 0 })
        #expect(Array(buffer[100..<100 + 65536]) == block)
        var end = [UInt8](repeating: 1, count: 1234)
        try end.withUnsafeMutableBytes { try reader.read(at: size - 1234, into: $0) }
        #expect(end == tail)
        var seen: [UInt64] = []
        try reader.forEachBlock { number, _ in seen.append(number) }
        #expect(seen == [5, 2_000_000, size / 65536])
    }
}
