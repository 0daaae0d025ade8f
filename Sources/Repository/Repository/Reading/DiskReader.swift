package import Platform
package import Sealing

/// A snapshot's disk, read at any place. Blocks that were zero cost nothing.
///
/// Safe to use from several threads.
package final class DiskReader: Sendable {
    package let reader: SnapshotReader
    package let disk: DiskRef
    private let nodes = Monitor(Nodes())

    private struct Nodes {
        var kept: [ChunkID: [ChunkID]] = [:]
    }
    /// Of 32 KiB each.
    private static let mostNodes = 256

    package init(_ reader: SnapshotReader, _ disk: DiskRef) {
        self.reader = reader
        self.disk = disk
    }

    package var size: UInt64 { disk.size }

    /// Fills `target` from `offset` on; the caller stays within the disk.
    /// - Throws: `.damaged` when a block cannot be had whole from any vault.
    package func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        precondition(offset + UInt64(target.count) <= size)
        let blockSize = UInt64(DiskRef.blockSize)
        var done = 0
        while done < target.count {
            let at = offset + UInt64(done)
            let block = at / blockSize
            let inside = Int(at % blockSize)
            let count = min(DiskRef.blockSize - inside, target.count - done)
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
            let id = try self.block(block)
            if id == .hole {
                unsafe piece.initializeMemory(as: UInt8.self, repeating: 0)
            } else {
                let bytes = try reader.read(id)
                guard bytes.count == length(of: block) else {
                    throw Failure(.damaged, "block \(block) of the disk has \(bytes.count) bytes")
                }
                unsafe bytes.withUnsafeBytes { source in
                    unsafe piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[inside..<inside + count]))
                }
            }
            done += count
        }
    }

    /// Bytes of a block: 64 KiB, fewer for the last.
    package func length(of block: UInt64) -> Int {
        Int(min(UInt64(DiskRef.blockSize), size - block * UInt64(DiskRef.blockSize)))
    }

    /// The id of a block; `.hole` for zeros.
    package func block(_ number: UInt64) throws(Failure) -> ChunkID {
        var id = disk.root
        var level = Int(disk.levels) - 1
        while level >= 0, id != .hole {
            var reach: UInt64 = 1
            for _ in 0..<level { reach *= UInt64(DiskRef.fanOut) }
            id = try node(id)[Int(number / reach % UInt64(DiskRef.fanOut))]
            level -= 1
        }
        return id
    }

    /// Every block that is not zeros, in ascending order.
    package func forEachBlock(_ body: (UInt64, ChunkID) throws -> Void) throws {
        try walk(disk.root, level: Int(disk.levels) - 1, first: 0, body)
    }

    private func walk(_ id: ChunkID, level: Int, first: UInt64, _ body: (UInt64, ChunkID) throws -> Void) throws {
        guard id != .hole, first < disk.blocks else { return }
        if level < 0 { return try body(first, id) }
        var reach: UInt64 = 1
        for _ in 0..<level { reach *= UInt64(DiskRef.fanOut) }
        for (position, child) in try node(id).enumerated() where child != .hole {
            try walk(child, level: level - 1, first: first + UInt64(position) * reach, body)
        }
    }

    package func node(_ id: ChunkID) throws(Failure) -> [ChunkID] {
        if let kept = nodes.access({ $0.kept[id] }) { return kept }
        let bytes = try reader.read(id)
        guard bytes.count == DiskRef.nodeByteCount else {
            throw Failure(.damaged, "a node of the disk is \(bytes.count) bytes long")
        }
        let ids = unsafe bytes.withUnsafeBytes { buffer in
            (0..<DiskRef.fanOut).map {
                unsafe ChunkID(Digest(UnsafeRawBufferPointer(rebasing: buffer[$0 * 32..<$0 * 32 + 32])))
            }
        }
        nodes.access { nodes in
            if nodes.kept.count >= Self.mostNodes { nodes.kept = [:] }
            nodes.kept[id] = ids
        }
        return ids
    }
}
