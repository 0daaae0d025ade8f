import Platform
import Repository
import Sealing
import Synchronization

/// Gives the bytes of a content in order, some chunks ahead at a time, several of them opened at once.
enum ContentStream {
    /// Bytes of content held at once.
    private static let window: UInt64 = 16 << 20

    /// Calls `body` with the bytes of each chunk in order. Of a hole only as many zeros are given as fill the piece
    /// before it up to a block: see `SparseMap`.
    /// - Throws: `.damaged` when a chunk cannot be had whole; what `body` throws.
    static func read(
        _ content: ContentRef, from reader: SnapshotReader, workers: Int, _ body: ([UInt8]) throws -> Void
    ) throws {
        var cursor = ContentCursor(reader, content)
        var chunks: [ChunkRef] = []
        var held: UInt64 = 0
        var piece: UInt64 = 0
        while let (chunk, _) = try cursor.next() {
            if chunk.id == .hole {
                let zeros = SparseMap.filling(piece, before: chunk.length)
                if zeros > 0 { chunks.append(ChunkRef(id: .hole, length: zeros)) }
                piece = zeros < chunk.length ? 0 : piece + zeros
                continue
            }
            chunks.append(chunk)
            held += chunk.length
            piece += chunk.length
            if held >= window {
                try give(chunks, from: reader, workers: workers, body)
                (chunks, held) = ([], 0)
            }
        }
        try give(chunks, from: reader, workers: workers, body)
    }

    private static func give(
        _ chunks: [ChunkRef], from reader: SnapshotReader, workers: Int, _ body: ([UInt8]) throws -> Void
    ) throws {
        guard chunks.count > 1 else {
            // Alone, it may lie in a frame that is kept.
            for chunk in chunks {
                try body(chunk.id == .hole ? zeros(chunk) : try whole(try reader.read(chunk.id), chunk))
            }
            return
        }
        let opened = Mutex([Result<[UInt8], Failure>?](repeating: nil, count: chunks.count))
        try unsafe reader.fetch(
            chunks.enumerated().filter { $1.id != .hole }.map { SnapshotReader.Want(id: $1.id, tag: $0) },
            workers: workers,
            deliver: { tag, bytes in
                let copy = unsafe Array(bytes)
                opened.withLock { $0[tag] = .success(copy) }
            },
            failed: { tag, failure in opened.withLock { $0[tag] = .failure(failure) } })
        for (chunk, bytes) in zip(chunks, opened.withLock({ $0 })) {
            guard chunk.id != .hole else {
                try body(zeros(chunk))
                continue
            }
            guard let bytes else { throw Failure(.failed, "chunk \(chunk.id) was not read") }
            try body(try whole(try bytes.get(), chunk))
        }
    }

    /// Fewer than a block.
    private static func zeros(_ chunk: ChunkRef) -> [UInt8] { [UInt8](repeating: 0, count: Int(chunk.length)) }

    private static func whole(_ bytes: [UInt8], _ chunk: ChunkRef) throws(Failure) -> [UInt8] {
        guard UInt64(bytes.count) == chunk.length else {
            throw Failure(.damaged, "a chunk has \(bytes.count) bytes where the snapshot says \(chunk.length)")
        }
        return bytes
    }
}
