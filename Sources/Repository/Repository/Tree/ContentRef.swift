package import Platform
package import Sealing

/// A run of content: a chunk, or a hole of any length; above depth 0 a list, with the content it spans.
package struct ChunkRef: Hashable, Sendable {
    package var id: ChunkID
    /// Bytes of content.
    package var length: UInt64

    package init(id: ChunkID, length: UInt64) {
        self.id = id
        self.length = length
    }

    package func encode(to encoder: inout CanonicalEncoder) {
        encoder.digest(id.digest)
        encoder.number(length)
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        id = ChunkID(try decoder.digest())
        length = try decoder.number(atMost: 1 << 62)
        guard length > 0 else { throw decoder.malformed("an empty chunk") }
    }
}

/// Where the bytes of a file, a directory or a document are: chunks in order, or, when they are many, chunks that
/// hold encoded lists of the chunks a level below.
package struct ContentRef: Hashable, Sendable {
    /// Bytes of content.
    package var length: UInt64
    /// 0: `chunks` hold the content; n: they hold lists of chunks of depth n - 1.
    package var depth: UInt8
    package var chunks: [ChunkRef]

    /// More references than this go a level down.
    package static let widest = 256
    package static let deepest: UInt8 = 8
    package static let empty = ContentRef(length: 0, depth: 0, chunks: [])

    package init(length: UInt64, depth: UInt8, chunks: [ChunkRef]) {
        self.length = length
        self.depth = depth
        self.chunks = chunks
    }

    package func encode(to encoder: inout CanonicalEncoder) {
        encoder.number(length)
        encoder.byte(depth)
        encoder.list(chunks) { $1.encode(to: &$0) }
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        length = try decoder.number(atMost: 1 << 62)
        depth = try decoder.byte()
        guard depth <= Self.deepest else { throw decoder.malformed("content of depth \(depth)") }
        chunks = try Self.list(&decoder)
        try Self.check(chunks, depth: depth, length: length)
    }

    /// The chunks make up the length, and none is longer than a chunk can be.
    private static func check(_ chunks: [ChunkRef], depth: UInt8, length: UInt64) throws(Failure) {
        var sum: UInt64 = 0
        for chunk in chunks {
            let (next, isTooMuch) = sum.addingReportingOverflow(chunk.length)
            guard !isTooMuch, depth > 0 || chunk.id == .hole || chunk.length <= UInt64(Charter.largestChunk) else {
                throw Failure(.damaged, "content with a chunk of \(chunk.length) bytes")
            }
            sum = next
        }
        guard sum == length else { throw Failure(.damaged, "content whose chunks are not as long as it is") }
    }

    /// A list of references as a chunk of a level holds it.
    package static func encodeList(_ chunks: ArraySlice<ChunkRef>) -> [UInt8] {
        CanonicalEncoder.bytes { $0.list(chunks) { $1.encode(to: &$0) } }
    }

    /// The list that a reference of `depth` spanning `length` bytes of content names.
    package static func decodeList(_ bytes: [UInt8], depth: UInt8, length: UInt64) throws(Failure) -> [ChunkRef] {
        var decoder = CanonicalDecoder(bytes, "a list of chunks")
        let chunks = try list(&decoder)
        try decoder.finish()
        try check(chunks, depth: depth - 1, length: length)
        return chunks
    }

    private static func list(_ decoder: inout CanonicalDecoder) throws(Failure) -> [ChunkRef] {
        try decoder.list(atMost: 1 << 16, smallest: 33) { (inner: inout CanonicalDecoder) throws(Failure) in
            try ChunkRef(from: &inner)
        }
    }
}

/// A disk: a radix tree over blocks of 64 KiB. A node is 1,024 chunk ids of 32 bytes, all zero where there is
/// nothing but zeros below; a node of nothing but zeros is not stored.
package struct DiskRef: Hashable, Sendable {
    /// Bytes of the disk; the last block may be shorter than the others.
    package var size: UInt64
    /// Levels of nodes above the blocks, at least 1.
    package var levels: UInt8
    package var root: ChunkID

    package static let blockSize = 65536
    package static let fanOut = 1024
    package static let nodeByteCount = fanOut * Digest.byteCount
    package static let largest: UInt64 = 1 << 56

    package init(size: UInt64, levels: UInt8, root: ChunkID) {
        self.size = size
        self.levels = levels
        self.root = root
    }

    package var blocks: UInt64 { (size + UInt64(Self.blockSize) - 1) / UInt64(Self.blockSize) }

    /// Levels that `blocks` need.
    package static func levels(for blocks: UInt64) -> UInt8 {
        var levels: UInt8 = 1
        var reach = UInt64(fanOut)
        while reach < blocks {
            reach *= UInt64(fanOut)
            levels += 1
        }
        return levels
    }

    package func encode(to encoder: inout CanonicalEncoder) {
        encoder.number(size)
        encoder.byte(levels)
        encoder.digest(root.digest)
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        size = try decoder.number(atMost: Self.largest)
        levels = try decoder.byte()
        root = ChunkID(try decoder.digest())
        guard levels == Self.levels(for: blocks) else { throw decoder.malformed("a disk of \(levels) levels") }
    }
}
