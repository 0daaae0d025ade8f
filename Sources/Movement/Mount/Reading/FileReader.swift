import Browse
import Platform
import Repository
import Sealing

/// A file of a snapshot, read at any place. Opening it reads nothing; reading takes the chunks that are touched.
final class FileReader: Sendable {
    private let content: ContentRef
    private let reader: SnapshotReader
    private let shelf: ChunkShelf

    init(_ content: ContentRef, _ reader: SnapshotReader, _ shelf: ChunkShelf) {
        self.content = content
        self.reader = reader
        self.shelf = shelf
    }

    /// At most `count` bytes from `offset` on, fewer at the end of the file only.
    /// - Throws: `.damaged` when any of them cannot be had whole.
    func read(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        guard offset < content.length else { return [] }
        let end = offset + min(UInt64(count), content.length - offset)
        var out: [UInt8] = []
        out.reserveCapacity(Int(end - offset))
        var cursor = ContentCursor(reader, content, at: offset)
        while offset + UInt64(out.count) < end {
            guard let (chunk, start) = try cursor.next() else {
                throw Failure(.damaged, "a file ends before its end")
            }
            let from = offset + UInt64(out.count)
            let upTo = min(start + chunk.length, end)
            if chunk.id == .hole {
                out.append(contentsOf: repeatElement(0, count: Int(upTo - from)))
            } else {
                let bytes = try shelf.read(chunk, reader)
                out.append(contentsOf: bytes[Int(from - start)..<Int(upTo - start)])
            }
        }
        return out
    }

    /// The first byte at or after `offset` that lies in a hole, or in none; for holes the end of the file counts as
    /// one. Nil when there is none.
    func seek(hole: Bool, from offset: UInt64) throws(Failure) -> UInt64? {
        guard offset < content.length else { return nil }
        var cursor = ContentCursor(reader, content, at: offset)
        while let (chunk, start) = try cursor.next() {
            if (chunk.id == .hole) == hole { return max(start, offset) }
        }
        return hole ? content.length : nil
    }
}
