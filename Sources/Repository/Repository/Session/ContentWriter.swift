internal import Chunking
internal import Platform
internal import Sealing

/// Cuts a stream of bytes into chunks, stores them, and says where they are. Holds a window of the stream, never the
/// whole of it; the lists of chunks go to the repository as they grow, too.
package struct ContentWriter: ~Copyable {
    private let session: BackupSession
    private let kind: ChunkKind
    private let note: ((ChunkID) -> Void)?
    private var buffer: [UInt8]
    /// The bytes not yet cut are `buffer[start..<end]`.
    private var start = 0
    private var end = 0
    private var length: UInt64 = 0
    private var levels: [[ChunkRef]] = [[]]

    /// Files are read through a window that the session hands from one to the next; directories, of which one may be
    /// open at every depth, begin with little.
    private static let window = 4 << 20
    private static let leastRoom = 64 << 10
    private static let firstRoom = 4 << 10

    init(_ session: BackupSession, _ kind: ChunkKind, buffer: [UInt8]?, note: ((ChunkID) -> Void)?) {
        self.note = note
        self.session = session
        self.kind = kind
        self.buffer = buffer ?? []
    }

    /// Calls `read` once for as many bytes as it likes to give, at most as many as its buffer holds.
    /// - Returns: how many it gave; 0 means the end.
    package mutating func fill(_ read: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> Int {
        try makeRoom(Self.leastRoom)
        let given = try unsafe buffer.withUnsafeMutableBytes { bytes in
            try unsafe read(UnsafeMutableRawBufferPointer(rebasing: bytes[end...]))
        }
        end += given
        try cut(atEnd: false)
        return given
    }

    package mutating func append(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            try makeRoom(rest.count)
            let taken = rest.prefix(buffer.count - end)
            buffer.replaceSubrange(end..<end + taken.count, with: taken)
            end += taken.count
            rest = rest.dropFirst(taken.count)
            try cut(atEnd: false)
        }
    }

    /// `length` bytes of zeros that need not be read. Content is cut at a hole's edges.
    package mutating func hole(_ length: UInt64) throws {
        guard length > 0 else { return }
        try cut(atEnd: true)
        try add(ChunkRef(id: .hole, length: length))
    }

    package consuming func finish() throws -> ContentRef {
        try cut(atEnd: true)
        if kind == .data { session.recycle(buffer) }
        var depth: UInt8 = 0
        while true {
            let level = levels[Int(depth)]
            if Int(depth) == levels.count - 1, level.count <= ContentRef.widest {
                return ContentRef(length: length, depth: depth, chunks: level)
            }
            try lift(Int(depth))
            depth += 1
        }
    }

    /// Moves what is left to the front when little room is behind it, and grows the buffer up to its window.
    private mutating func makeRoom(_ wanted: Int) throws {
        if start == end { (start, end) = (0, 0) }
        if buffer.count - end >= min(wanted, Self.leastRoom) { return }
        if start > 0 {
            unsafe buffer.withUnsafeMutableBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<rest.count]).copyMemory(from: rest)
            }
            (start, end) = (0, end - start)
        }
        let needed = end + min(wanted, Self.leastRoom)
        if buffer.count < needed {
            let grown = kind == .data ? Self.window : max(Self.firstRoom, needed, buffer.count * 2)
            buffer.append(contentsOf: [UInt8](repeating: 0, count: grown - buffer.count))
        }
    }

    /// Decides only on what decides itself: fewer bytes than the longest chunk would be scanned again with the next.
    private mutating func cut(atEnd: Bool) throws {
        while start < end, atEnd || end - start >= session.scanner.parameters.maximum {
            let next: ChunkRef? = try unsafe buffer.withUnsafeBytes { bytes in
                let open = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                guard let count = unsafe session.scanner.cut(open, atEnd: atEnd) else { return nil }
                let chunk = unsafe UnsafeRawBufferPointer(rebasing: open[..<count])
                return ChunkRef(id: try unsafe session.store(chunk, kind), length: UInt64(count))
            }
            guard let next else { return }
            note?(next.id)
            start += Int(next.length)
            try add(next)
        }
    }

    private mutating func add(_ chunk: ChunkRef) throws {
        length += chunk.length
        if chunk.id == .hole, let last = levels[0].last, last.id == .hole {
            levels[0][levels[0].count - 1].length += chunk.length
            return
        }
        levels[0].append(chunk)
        var level = 0
        // One past the widest shows that this level will not be the top.
        while levels[level].count > ContentRef.widest {
            let kept = levels[level].removeLast()
            try lift(level)
            levels[level] = [kept]
            level += 1
        }
    }

    /// Stores a level's list as a chunk and names it a level up.
    private mutating func lift(_ level: Int) throws {
        let list = levels[level]
        guard !list.isEmpty else { return }
        let bytes = ContentRef.encodeList(list[...])
        let id = try unsafe bytes.withUnsafeBytes { try unsafe session.store($0, .tree) }
        note?(id)
        levels[level] = []
        if levels.count == level + 1 { levels.append([]) }
        levels[level + 1].append(ChunkRef(id: id, length: list.reduce(0) { $0 + $1.length }))
    }
}
