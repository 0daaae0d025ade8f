package import Platform
package import Sealing

/// Where things lie in a pack (FORMAT.md, "Pack"):
///
///     header 88 | frame 0 | frame 1 ... | sealed table | footer 16 | leaves 32 each
///     `------------------- body --------------------------------'
///
/// The leaves are hashes of the body's 64 KiB blocks; the root covers them and the whole length.
package enum PackLayout {
    package static let headerByteCount = 88
    package static let footerByteCount = 16
    package static let magic = Array("BWPK".utf8)
    package static let version: UInt8 = 1

    /// Kinds in the associated data of what is sealed in a pack.
    package enum SealedKind {
        package static let frame: UInt8 = 1
        package static let table: UInt8 = 2
    }

    /// The body's length, given the pack's: the only one for which body and leaves add up.
    package static func bodyLength(of length: UInt64) -> UInt64? {
        let unit = UInt64(HashTree.blockSize + Digest.byteCount)
        let blocks = (length + unit - 1) / unit
        guard length > blocks * UInt64(Digest.byteCount) else { return nil }
        let body = length - blocks * UInt64(Digest.byteCount)
        guard (body + UInt64(HashTree.blockSize) - 1) / UInt64(HashTree.blockSize) == blocks,
            body >= UInt64(headerByteCount + footerByteCount + AESGCM.tagByteCount)
        else { return nil }
        return body
    }

    package static func root(length: UInt64, leaves: [Digest]) -> Digest {
        let big = (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        return SHA256.hash(
            Array("breakwater pack root v1".utf8) + [0, version] + big + HashTree.root(leaves[...]).bytes)
    }

    /// Verifies every byte of a pack against its root, with no key.
    /// - Throws: `.damaged` naming the first block that is wrong.
    package static func verify(_ pack: [UInt8], root: Digest, name: String) throws(Failure) {
        guard let body = bodyLength(of: UInt64(pack.count)) else {
            throw Failure(.damaged, "\(name) has a length that no pack can have")
        }
        let stored = stride(from: Int(body), to: pack.count, by: Digest.byteCount).compactMap {
            Digest(pack[$0..<$0 + Digest.byteCount])
        }
        guard self.root(length: UInt64(pack.count), leaves: stored) == root else {
            throw Failure(.damaged, "\(name): its hash tree is not the one its name promises")
        }
        let actual = unsafe pack.withUnsafeBytes {
            unsafe HashTree.leaves(of: UnsafeRawBufferPointer(rebasing: $0[..<Int(body)]))
        }
        if let wrong = zip(stored, actual).enumerated().first(where: { $1.0 != $1.1 })?.offset {
            throw Failure(.damaged, "\(name): block \(wrong) of \(stored.count) is damaged")
        }
    }
}

/// A pack's first bytes: which session's key opens it.
package struct PackHeader: Sendable, Hashable {
    package let origin: SessionID
    package let salt: [UInt8]
    package let commitment: [UInt8]

    package init(key: SessionKey, salt: [UInt8]) {
        origin = key.session
        self.salt = salt
        commitment = key.derive(.commitment, salt: salt)
    }

    package var bytes: [UInt8] { PackLayout.magic + [PackLayout.version, 0, 0, 0] + origin.bytes + salt + commitment }

    package init(_ bytes: [UInt8], name: String) throws(Failure) {
        guard bytes.count == PackLayout.headerByteCount, Array(bytes[0..<4]) == PackLayout.magic,
            bytes[4] == PackLayout.version, bytes[5..<8].allSatisfy({ $0 == 0 }), let origin = SessionID(bytes[8..<24])
        else { throw Failure(.damaged, "\(name) does not begin like a pack of version 1") }
        self.origin = origin
        salt = Array(bytes[24..<56])
        commitment = Array(bytes[56..<88])
    }

    /// The keys of this pack, if `key` is the one the header is committed to: a frame cannot be made to open
    /// differently under two keys.
    package func open(_ key: SessionKey, name: String) throws(Failure) -> PackKeys {
        guard key.session == origin, key.derive(.commitment, salt: salt) == commitment else {
            throw Failure(.damaged, "\(name) is not sealed under its session's key")
        }
        return PackKeys(key, salt: salt)
    }
}

/// Keys and associated data of one pack.
package struct PackKeys: Sendable {
    package let frameKey: [UInt8]
    package let tableKey: [UInt8]
    private let session: SessionKey
    private let salt: [UInt8]

    /// The session whose key they are made of.
    var origin: SessionID { session.session }

    init(_ session: SessionKey, salt: [UInt8]) {
        self.session = session
        self.salt = salt
        frameKey = session.derive(.frame, salt: salt)
        tableKey = session.derive(.table, salt: salt)
    }

    package func associated(frame number: UInt32) -> [UInt8] {
        session.associated(salt: salt, number: UInt64(number), kind: PackLayout.SealedKind.frame)
    }

    package var associatedWithTable: [UInt8] {
        session.associated(salt: salt, number: 0, kind: PackLayout.SealedKind.table)
    }
}

/// What a pack holds, frame by frame; sealed at its end.
package struct PackTable: Sendable, Hashable {
    package struct Frame: Sendable, Hashable {
        package var sealedLength: UInt32
        package var kind: ChunkKind
        package var chunks: [ChunkRef]

        /// Whether its chunks can be what one frame holds. A table is its writer's word, and a stolen writer may say anything.
        package var isPossible: Bool {
            var room = UInt64(FrameCodec.largest)
            for chunk in chunks {
                guard chunk.length <= room else { return false }
                room -= chunk.length
            }
            return true
        }
    }

    package var frames: [Frame] = []

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.list(frames) {
                $0.number(UInt64($1.sealedLength))
                $0.byte($1.kind.rawValue)
                $0.list($1.chunks) { $1.encode(to: &$0) }
            }
        }
    }

    package init() {}

    package init(_ bytes: [UInt8], name: String) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "the table of \(name)")
        frames = try decoder.list(smallest: 3) { (inner: inout CanonicalDecoder) throws(Failure) in
            let length = try inner.number32()
            guard let kind = ChunkKind(rawValue: try inner.byte()) else {
                throw inner.malformed("an unknown kind of frame")
            }
            return Frame(
                sealedLength: length, kind: kind,
                chunks: try inner.list(smallest: 33) { (innermost: inout CanonicalDecoder) throws(Failure) in
                    try ChunkRef(from: &innermost)
                })
        }
        try decoder.finish()
    }

    /// What a pack of that length holds by the word of a segment; nil unless that can be all of it: frames and chunks must
    /// lie one after another, and a table that says so must take the room that is left for it. Of what kind the frames
    /// are a segment does not tell: they are taken for data, which costs only order.
    init?(_ entries: [SegmentEntry], packLength: UInt64) {
        guard let body = PackLayout.bodyLength(of: packLength) else { return nil }
        var (start, end, inside) = (UInt64(0), UInt64(PackLayout.headerByteCount), UInt64(0))
        for entry in entries.sorted(by: { ($0.frame, $0.inside) < ($1.frame, $1.inside) }) {
            if Int(entry.frame) == frames.count {
                (start, inside) = (end, 0)
                end += UInt64(entry.sealedLength)
                frames.append(Frame(sealedLength: entry.sealedLength, kind: .data, chunks: []))
            }
            let last = frames.count - 1
            guard Int(entry.frame) == last, UInt64(entry.offset) == start, UInt64(entry.inside) == inside,
                entry.sealedLength == frames[last].sealedLength, entry.length > 0
            else { return nil }
            frames[last].chunks.append(ChunkRef(id: entry.id, length: UInt64(entry.length)))
            inside += UInt64(entry.length)
        }
        let table = UInt64(bytes.count + AESGCM.tagByteCount)
        guard end + table + UInt64(PackLayout.footerByteCount) == body else { return nil }
    }

    /// Each chunk with its place, as an index holds it.
    package func entries(pack: UInt32) -> [SegmentEntry] {
        var entries: [SegmentEntry] = []
        var offset = UInt32(PackLayout.headerByteCount)
        for (number, frame) in frames.enumerated() {
            var inside: UInt32 = 0
            for chunk in frame.chunks {
                entries.append(
                    SegmentEntry(
                        id: chunk.id, pack: pack, frame: UInt32(number), offset: offset,
                        sealedLength: frame.sealedLength,
                        inside: inside, length: UInt32(clamping: chunk.length)))
                inside &+= UInt32(clamping: chunk.length)
            }
            offset &+= frame.sealedLength
        }
        return entries
    }
}

/// What a chunk is part of. Kinds do not share frames, so that reading names does not drag contents along.
package enum ChunkKind: UInt8, Sendable, CaseIterable {
    /// Bytes of files and disks.
    case data = 1
    /// Directory entries, lists of chunks, nodes of disks.
    case tree = 2
}

/// How a frame's plaintext begins: the codec, then the length of its chunks together, big-endian.
package enum FrameCodec: UInt8, Sendable {
    case stored = 0
    case zstd = 1

    package static let headerByteCount = 5
    /// The longest plaintext of a frame that any writer may make.
    package static let largest = 8 << 20
}
