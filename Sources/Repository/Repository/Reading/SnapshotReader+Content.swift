package import Platform
internal import Sealing

extension SnapshotReader {
    /// Every chunk and hole of a content, in order, with the offset at which it begins.
    package func forEachChunk(of content: ContentRef, _ body: (ChunkRef, UInt64) throws -> Void) throws {
        var offset: UInt64 = 0
        try walk(content.chunks, depth: content.depth) { chunk in
            try body(chunk, offset)
            offset += chunk.length
        }
    }

    private func walk(_ chunks: [ChunkRef], depth: UInt8, _ body: (ChunkRef) throws -> Void) throws {
        for chunk in chunks {
            if depth == 0 || chunk.id == .hole {
                try body(chunk)
            } else {
                let list = try ContentRef.decodeList(try read(chunk.id), depth: depth, length: chunk.length)
                try walk(list, depth: depth - 1, body)
            }
        }
    }

    /// Calls `body` for each entry of a directory, in order of the names.
    /// - Throws: `.damaged` when entries cannot be read, are out of order, or stand twice.
    package func forEachEntry(of directory: ContentRef, _ body: (TreeEntry) throws -> Void) throws {
        var pending: [UInt8] = []
        var last: [UInt8]?
        try forEachChunk(of: directory) { chunk, _ in
            guard chunk.id != .hole else { throw Failure(.damaged, "a directory with a hole in it") }
            let bytes = try read(chunk.id)
            guard UInt64(bytes.count) == chunk.length else { throw Failure(.damaged, "a chunk of another length") }
            pending += bytes
            var decoded = 0
            while let (length, start) = try Self.frame(pending, at: decoded), start + length <= pending.count {
                let entry = try TreeEntry(Array(pending[start..<start + length]))
                guard last.map({ $0.lexicographicallyPrecedes(entry.name) }) ?? true else {
                    throw Failure(.damaged, "a directory whose names are out of order")
                }
                last = entry.name
                try body(entry)
                decoded = start + length
            }
            pending.removeFirst(decoded)
        }
        guard pending.isEmpty else { throw Failure(.damaged, "a directory that ends within an entry") }
    }

    /// The length of the entry that begins at `offset`, and where its fields begin; nil when that is not all there.
    package static func frame(_ bytes: [UInt8], at offset: Int) throws(Failure) -> (length: Int, start: Int)? {
        var length = 0
        var shift = 0
        var position = offset
        while position < bytes.count {
            let byte = bytes[position]
            length |= Int(byte & 0x7F) << shift
            position += 1
            if byte < 0x80 {
                guard length <= TreeEntry.largest else {
                    throw Failure(.damaged, "a directory entry of \(length) bytes")
                }
                return (length, position)
            }
            shift += 7
            guard shift <= 28 else { throw Failure(.damaged, "a directory entry of no length") }
        }
        return nil
    }
}
