import Glibc
import Platform
import Repository
import Sealing

/// A memory that an earlier capture wrote: read a frame at a time, with sixteen bytes in memory for each file.
final class MemoryFile {
    struct Found {
        var content: ContentRef
        var attributes: [TreeEntry.ExtendedAttribute]
        /// Where the ids of its chunks begin and end, where it has a list of them.
        var chunks: Range<UInt64>
    }

    private struct Place {
        var prefix: UInt64
        var position: UInt64
    }

    private let file: Descriptor
    private let cipher: AESGCM
    private let associated: [UInt8]
    private let size: UInt64
    private var cached: (number: UInt64, bytes: [UInt8])?
    private var index: [Place] = []

    /// More files than these are read again.
    private static let most = 8 << 20

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
        scan()
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

    private func item(_ position: UInt64) throws(Failure) -> (kind: MemoryFormat.Item, payload: [UInt8], end: UInt64) {
        let header = try read(position, MemoryFormat.itemHeaderByteCount)
        let length = Int(MemoryFormat.word(header[1...]))
        guard let kind = MemoryFormat.Item(rawValue: header[0]), length <= MemoryFormat.longestItem else {
            throw Failure(.damaged, "a memory of files with an item of no kind")
        }
        let start = position + UInt64(header.count)
        return (kind, try read(start, length), start + UInt64(length))
    }

    // MARK: - Files

    /// Notes where each file is, as far as the frames are whole.
    private func scan() {
        var position: UInt64 = 0
        while index.count < Self.most, let next = try? item(position) {
            if next.kind == .file, next.payload.count > MemoryFormat.keyByteCount {
                index.append(Place(prefix: MemoryFormat.word(next.payload[..<8]), position: position))
            }
            position = next.end
        }
        index.sort { ($0.prefix, $0.position) < ($1.prefix, $1.position) }
    }

    func find(_ key: MemoryFormat.Key) -> Found? {
        var (low, high) = (0, index.count)
        while low < high {
            let middle = (low + high) / 2
            if index[middle].prefix < key.high { low = middle + 1 } else { high = middle }
        }
        while low < index.count, index[low].prefix == key.high {
            if let found = try? open(index[low].position, key) { return found }
            low += 1
        }
        return nil
    }

    private func open(_ position: UInt64, _ key: MemoryFormat.Key) throws(Failure) -> Found? {
        let item = try item(position)
        guard item.payload.starts(with: key.bytes) else { return nil }
        var decoder = CanonicalDecoder(item.payload, "a remembered file")
        _ = try decoder.raw(MemoryFormat.keyByteCount)
        let back = try decoder.number(atMost: position)
        let content = try ContentRef(from: &decoder)
        let attributes = try decoder.list(atMost: 65536, smallest: 2) {
            (inner: inout CanonicalDecoder) throws(Failure) in
            TreeEntry.ExtendedAttribute(name: try inner.string(), value: try inner.string())
        }
        try decoder.finish()
        return Found(content: content, attributes: attributes, chunks: position - back..<position)
    }

    /// Calls `take` with each stretch of the ids in that range; false as soon as `take` says so or they cannot be read.
    func forEachStretch(in range: Range<UInt64>, _ take: ([UInt8]) -> Bool) -> Bool {
        var position = range.lowerBound
        while position < range.upperBound {
            guard let next = try? item(position), next.kind == .chunks, next.payload.count % Digest.byteCount == 0,
                take(next.payload)
            else { return false }
            position = next.end
        }
        return position == range.upperBound
    }
}
