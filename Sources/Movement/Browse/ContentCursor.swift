package import Platform
package import Repository
import Sealing

/// Goes through the chunks of a content one by one, from any offset on: lists that lie before it are not read.
package struct ContentCursor {
    private let reader: SnapshotReader
    private let depth: UInt8
    private let start: UInt64
    /// The lists on the way to where it stands, the outermost first.
    private var levels: [(chunks: [ChunkRef], next: Int)]
    private var offset: UInt64 = 0

    /// - Parameter start: in bytes of content; the first chunk given is the one that holds this byte.
    package init(_ reader: SnapshotReader, _ content: ContentRef, at start: UInt64 = 0) {
        self.reader = reader
        self.start = start
        depth = content.depth
        levels = [(content.chunks, 0)]
    }

    /// The next chunk or hole and the offset at which it begins; nil at the end.
    /// - Throws: `.damaged` when a list of chunks cannot be had whole; the cursor is of no use then.
    package mutating func next() throws(Failure) -> (chunk: ChunkRef, offset: UInt64)? {
        while let level = levels.last {
            guard level.next < level.chunks.count else {
                levels.removeLast()
                continue
            }
            let chunk = level.chunks[level.next]
            levels[levels.count - 1].next += 1
            let end = offset + chunk.length
            if end <= start {
                offset = end
                continue
            }
            let below = depth - UInt8(levels.count - 1)
            if below == 0 || chunk.id == .hole {
                defer { offset = end }
                return (chunk, offset)
            }
            levels.append((try ContentRef.decodeList(try reader.read(chunk.id), depth: below, length: chunk.length), 0))
        }
        return nil
    }
}
