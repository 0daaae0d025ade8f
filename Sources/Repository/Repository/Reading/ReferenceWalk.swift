internal import ObjectStore
internal import Platform
internal import Sealing

/// Follows what snapshots refer to: content, directories, lists of chunks and nodes of disks.
///
/// Walks every tree and disk once, however many snapshots share it, and reads nothing of the content. What it has followed
/// it remembers by name, the last ones in memory and those before in temporary files.
struct ReferenceWalk {
    /// Called for each reference, with the reader that it is followed by; for some more than once.
    private let mark: (ChunkID, SnapshotReader) throws -> Void
    /// Directories, lists and nodes that were followed.
    private var followed: FreshChunks
    private let isCancelled: @Sendable () -> Bool

    /// - Throws: `.refused` without the keys of the repository.
    init(
        _ repository: Repository, isCancelled: @escaping @Sendable () -> Bool,
        mark: @escaping (ChunkID, SnapshotReader) throws -> Void
    ) throws(Failure) {
        guard let secret = repository.keys.secret else {
            throw Failure(.refused, "following what snapshots in \(repository.store.location) refer to needs its keys")
        }
        followed = FreshChunks(
            IndexOwner(secret: secret, repository: repository.id, vault: repository.vault), repository.resources,
            repository.surroundings)
        self.isCancelled = isCancelled
        self.mark = mark
    }

    /// Whether it is met for the first time.
    private mutating func begin(_ id: ChunkID) throws(Failure) -> Bool {
        guard !followed.contains(id) else { return false }
        try followed.insert(id)
        return true
    }

    /// - Throws: when any reference of the snapshot cannot be followed: then nobody knows what it needs; what `mark`
    ///   throws.
    mutating func walk(_ snapshot: Snapshot, _ reader: SnapshotReader) throws {
        for stream in snapshot.part.streams {
            switch stream.content {
            case .tree(let root): try walk(tree: root, reader)
            case .machine(let document): try follow(document.chunks, depth: document.depth, reader)
            case .disk(let disk):
                try walk(node: disk.root, level: Int(disk.levels) - 1, DiskReader(reader, disk))
            }
        }
    }

    private mutating func walk(tree root: ContentRef, _ reader: SnapshotReader) throws {
        var waiting = [root]
        while let directory = waiting.popLast() {
            if isCancelled() { throw Failure(.cancelled, "following references was asked to stop") }
            let name = CanonicalEncoder.bytes { directory.encode(to: &$0) }
            guard try begin(ChunkID(SHA256.hash(name))) else { continue }
            try follow(directory.chunks, depth: directory.depth, reader)
            try reader.forEachEntry(of: directory) { entry in
                guard let content = entry.content else { return }
                if entry.kind == .directory {
                    waiting.append(content)
                } else {
                    try follow(content.chunks, depth: content.depth, reader)
                }
            }
        }
    }

    private mutating func follow(_ chunks: [ChunkRef], depth: UInt8, _ reader: SnapshotReader) throws {
        for chunk in chunks where chunk.id != .hole {
            try mark(chunk.id, reader)
            guard depth > 0, try begin(chunk.id) else { continue }
            let list = try ContentRef.decodeList(try reader.read(chunk.id), depth: depth, length: chunk.length)
            try follow(list, depth: depth - 1, reader)
        }
    }

    private mutating func walk(node id: ChunkID, level: Int, _ disk: DiskReader) throws {
        guard id != .hole else { return }
        try mark(id, disk.reader)
        guard level >= 0, try begin(id) else { return }
        if isCancelled() { throw Failure(.cancelled, "following references was asked to stop") }
        for child in try disk.node(id) { try walk(node: child, level: level - 1, disk) }
    }
}
