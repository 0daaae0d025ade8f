package import Platform
package import Repository
import Sealing

/// Goes through the entries of a directory one by one, in order of their names, from any entry on. What no file
/// system could hold is refused: names out of order, twice, too long, or that lead elsewhere.
package struct DirectoryCursor {
    private let reader: SnapshotReader
    private var content: ContentCursor
    private let start: UInt64
    /// Bytes of the directory from `base` on, of which `decoded` are done with.
    private var pending: [UInt8] = []
    private var base: UInt64
    private var decoded = 0
    private var last: [UInt8]?

    /// - Parameter start: where an entry begins, as `next` gave it.
    package init(_ reader: SnapshotReader, _ directory: ContentRef, at start: UInt64 = 0) {
        self.reader = reader
        self.start = start
        base = start
        content = ContentCursor(reader, directory, at: start)
    }

    /// Where the next entry begins.
    package var position: UInt64 { base + UInt64(decoded) }

    /// The next entry and where it begins in the directory's content, in bytes; nil at the end.
    /// - Throws: `.damaged` or `.notFound` when the directory cannot be read any further.
    package mutating func next() throws(Failure) -> (entry: TreeEntry, offset: UInt64)? {
        while true {
            if let (length, begin) = try SnapshotReader.frame(pending, at: decoded), begin + length <= pending.count {
                let entry = try TreeEntry(Array(pending[begin..<begin + length]))
                guard Name.isEntry(entry.name), last.map({ $0.lexicographicallyPrecedes(entry.name) }) ?? true else {
                    throw Failure(.damaged, "a name is out of order, stands twice or leads elsewhere")
                }
                last = entry.name
                let offset = position
                decoded = begin + length
                return (entry, offset)
            }
            guard let (chunk, offset) = try content.next() else {
                guard decoded == pending.count else {
                    throw Failure(.damaged, "a directory that ends within an entry")
                }
                return nil
            }
            guard chunk.id != .hole else { throw Failure(.damaged, "a directory with a hole in it") }
            let bytes = try reader.read(chunk.id)
            guard UInt64(bytes.count) == chunk.length else { throw Failure(.damaged, "a chunk of another length") }
            pending.removeFirst(decoded)
            base += UInt64(decoded)
            decoded = 0
            // The first chunk may begin before the entry that was asked for.
            pending += offset < start ? bytes[Int(start - offset)...] : bytes[...]
        }
    }
}
