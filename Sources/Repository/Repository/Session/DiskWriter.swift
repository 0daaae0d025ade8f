package import Platform
package import Sealing

/// Builds the radix tree of a disk from its blocks, given in ascending order. What is not given is zeros.
package struct DiskWriter: ~Copyable {
    private let session: BackupSession
    private let size: UInt64
    private let levels: UInt8
    private let note: ((UInt64, ChunkID) -> Void)?
    /// For each level from the lowest: the number of the node that is open, and its ids.
    private var open: [(number: UInt64, ids: [ChunkID])]
    private var lastBlock: UInt64?
    /// Bytes of blocks that were not zero.
    package private(set) var dataBytes: UInt64 = 0

    /// - Parameter note: told of every block that is not zeros.
    package init(
        _ session: BackupSession, size: UInt64, note: ((UInt64, ChunkID) -> Void)? = nil
    ) throws(Failure) {
        guard size <= DiskRef.largest else { throw Failure(.refused, "a disk of \(size) bytes is too large") }
        self.session = session
        self.size = size
        self.note = note
        let blocks = (size + UInt64(DiskRef.blockSize) - 1) / UInt64(DiskRef.blockSize)
        levels = DiskRef.levels(for: blocks)
        open = (0..<levels).map { _ in (0, Self.zeros) }
    }

    private static let zeros = [ChunkID](repeating: .hole, count: DiskRef.fanOut)

    /// Stores blocks that lie one after another: 64 KiB each, or fewer bytes for the disk's last.
    package mutating func put(_ first: UInt64, _ bytes: UnsafeRawBufferPointer) throws {
        precondition(lastBlock.map { $0 < first } ?? true, "blocks come in ascending order")
        precondition(first * UInt64(DiskRef.blockSize) + UInt64(bytes.count) <= size)
        var numbers: [UInt64] = []
        var blocks: [UnsafeRawBufferPointer] = unsafe []
        for start in stride(from: 0, to: bytes.count, by: DiskRef.blockSize) {
            let end = min(start + DiskRef.blockSize, bytes.count)
            let block = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            let number = first + UInt64(start / DiskRef.blockSize)
            lastBlock = number
            guard unsafe !BackupSession.isZero(block) else { continue }
            numbers.append(number)
            unsafe blocks.append(block)
        }
        for (index, hash) in unsafe SHA256.hashes(of: blocks).enumerated() {
            let id = try unsafe session.store(
                blocks[index], .data, hash: hash, leaningOn: session.template)
            dataBytes += UInt64(unsafe blocks[index].count)
            note?(numbers[index], id)
            try set(numbers[index], id, level: 0)
        }
    }

    /// Takes a block over from an earlier snapshot: its chunk becomes one of this snapshot, without its bytes.
    /// - Returns: false, and nothing is done, when the chunk is in no pack that may be leant on; then its bytes are put.
    package mutating func inherit(_ block: UInt64, _ id: ChunkID) throws -> Bool {
        precondition(lastBlock.map { $0 < block } ?? true, "blocks come in ascending order")
        let start = block * UInt64(DiskRef.blockSize)
        precondition(start < size)
        let length = min(UInt64(DiskRef.blockSize), size - start)
        let content = ContentRef(length: length, depth: 0, chunks: [ChunkRef(id: id, length: length)])
        // What an earlier snapshot took from a template is there only for one that leans on it, too.
        guard session.lean(on: content) || session.template?.take(id, length: length) ?? false else { return false }
        lastBlock = block
        dataBytes += length
        note?(block, id)
        try set(block, id, level: 0)
        return true
    }

    package consuming func finish() throws -> DiskRef {
        for level in 0..<Int(levels) - 1 { try close(level) }
        let root = try store(open[Int(levels) - 1].ids)
        return DiskRef(size: size, levels: levels, root: root)
    }

    private mutating func set(_ index: UInt64, _ id: ChunkID, level: Int) throws {
        let node = index / UInt64(DiskRef.fanOut)
        if open[level].number != node {
            try close(level)
            open[level].number = node
        }
        open[level].ids[Int(index % UInt64(DiskRef.fanOut))] = id
    }

    /// Stores the open node of a level and enters it a level up.
    private mutating func close(_ level: Int) throws {
        let (number, ids) = open[level]
        open[level].ids = Self.zeros
        let id = try store(ids)
        if id != .hole { try set(number, id, level: level + 1) }
    }

    private func store(_ ids: [ChunkID]) throws -> ChunkID {
        guard ids.contains(where: { $0 != .hole }) else { return .hole }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(DiskRef.nodeByteCount)
        for id in ids { id.digest.append(to: &bytes) }
        return try unsafe bytes.withUnsafeBytes { try unsafe session.store($0, .tree) }
    }
}
