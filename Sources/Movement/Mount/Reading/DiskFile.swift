import Platform
import Repository
import Sealing

/// A disk of a snapshot as a raw file, read at any place.
final class DiskFile: Sendable {
    private let disk: DiskReader

    init(_ disk: DiskReader) { self.disk = disk }

    /// At most `count` bytes from `offset` on, fewer at the end of the disk only.
    /// - Throws: `.damaged` when any of them cannot be had whole.
    func read(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        guard offset < disk.size else { return [] }
        let length = Int(min(UInt64(count), disk.size - offset))
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
            do throws(Failure) {
                try unsafe disk.read(
                    at: offset,
                    into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<length]))
                filled = length
            } catch { problem = error }
        }
        if let problem { throw problem }
        return bytes
    }

    /// As of a file; blocks are looked up in the disk's map, of which whole branches may be holes.
    func seek(hole: Bool, from offset: UInt64) throws(Failure) -> UInt64? {
        guard offset < disk.size else { return nil }
        let size = UInt64(DiskRef.blockSize)
        var block = offset / size
        while block < disk.disk.blocks {
            let reach = try emptyReach(from: block)
            if (reach > 0) == hole { return max(block * size, offset) }
            block += max(reach, 1)
        }
        return hole ? disk.size : nil
    }

    /// How many blocks from this one on are known to be zeros; 0 when it is not.
    private func emptyReach(from block: UInt64) throws(Failure) -> UInt64 {
        var id = disk.disk.root
        var level = Int(disk.disk.levels) - 1
        // Blocks below a child of the node that is looked at.
        var reach: UInt64 = 1
        for _ in 0..<Int(disk.disk.levels) { reach *= UInt64(DiskRef.fanOut) }
        while true {
            if id == .hole { return reach - block % reach }
            if level < 0 { return 0 }
            reach /= UInt64(DiskRef.fanOut)
            id = try disk.node(id)[Int(block / reach % UInt64(DiskRef.fanOut))]
            level -= 1
        }
    }
}
