import Glibc
import Platform
import Repository
import Sealing

/// The items of a memory that an earlier capture wrote, read a frame at a time.
final class MemoryItems {
    private let file: Descriptor
    private let cipher: AESGCM
    private let associated: [UInt8]
    private let size: UInt64
    private var cached: (number: UInt64, bytes: [UInt8])?

    /// Nil when there is none at the path, or it is another's.
    init?(_ path: AbsolutePath, _ secret: WriterSecret, _ repository: RepositoryID) {
        guard let file = try? Descriptor.open(path.bytes, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
            let size = try? file.size(), size > UInt64(MemoryFormat.headerByteCount),
            let header = try? file.readSome(limit: MemoryFormat.headerByteCount),
            header.count == MemoryFormat.headerByteCount, header.starts(with: MemoryFormat.magic)
        else { return nil }
        self.file = file
        self.size = size
        cipher = MemoryFormat.cipher(secret, header: header)
        associated = header + repository.digest.bytes
    }

    // MARK: - Frames

    private func frame(_ number: UInt64) throws(Failure) -> [UInt8] {
        if let cached, cached.number == number { return cached.bytes }
        let start = UInt64(MemoryFormat.headerByteCount) + number * UInt64(MemoryFormat.sealedByteCount)
        guard start + UInt64(AESGCM.tagByteCount) < size else { throw Failure(.notFound, "no such frame") }
        let sealed = Int(min(UInt64(MemoryFormat.sealedByteCount), size - start))
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: sealed) { buffer, count in
            let room = UnsafeMutableRawBufferPointer(buffer)
            do throws(Failure) {
                guard try unsafe file.read(into: room, at: start) == sealed else {
                    throw Failure(.damaged, "a memory of files that became shorter")
                }
                let plain = sealed - AESGCM.tagByteCount
                try unsafe cipher.open(
                    UnsafeRawBufferPointer(room), nonce: number, associated: associated,
                    into: UnsafeMutableRawBufferPointer(rebasing: room[..<plain]))
                count = plain
            } catch { problem = error }
        }
        if let problem { throw problem }
        cached = (number, bytes)
        return bytes
    }

    private func read(_ position: UInt64, _ count: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let at = position + UInt64(bytes.count)
            let frame = try frame(at / UInt64(MemoryFormat.frameByteCount))
            let offset = Int(at % UInt64(MemoryFormat.frameByteCount))
            guard offset < frame.count else { throw Failure(.damaged, "a memory of files ends early") }
            bytes += frame[offset..<min(frame.count, offset + count - bytes.count)]
        }
        return bytes
    }

    func item(_ position: UInt64) throws(Failure) -> (kind: MemoryFormat.Item, payload: [UInt8], end: UInt64) {
        let header = try read(position, MemoryFormat.itemHeaderByteCount)
        let length = Int(MemoryFormat.word(header[1...]))
        guard let kind = MemoryFormat.Item(rawValue: header[0]), length <= MemoryFormat.longestItem else {
            throw Failure(.damaged, "a memory of files with an item of no kind")
        }
        let start = position + UInt64(header.count)
        return (kind, try read(start, length), start + UInt64(length))
    }
}
