package import Platform
package import Sealing

/// Where a chunk lies.
package struct SegmentEntry: Sendable, Hashable {
    package var id: ChunkID
    /// Which of the segment's (or the index's) packs.
    package var pack: UInt32
    package var frame: UInt32
    /// Of the sealed frame, in the pack.
    package var offset: UInt32
    package var sealedLength: UInt32
    /// Of the chunk, in the frame's plaintext.
    package var inside: UInt32
    package var length: UInt32

    package static let byteCount = 56

    package init(
        id: ChunkID, pack: UInt32, frame: UInt32, offset: UInt32, sealedLength: UInt32, inside: UInt32, length: UInt32
    ) {
        self.id = id
        self.pack = pack
        self.frame = frame
        self.offset = offset
        self.sealedLength = sealedLength
        self.inside = inside
        self.length = length
    }

    /// From 56 bytes, as they stand in segments and in the local index.
    init(_ bytes: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt32 {
            UInt32(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: 32 + 4 * index, as: UInt32.self))
        }
        id = unsafe ChunkID(Digest(UnsafeRawBufferPointer(rebasing: bytes[..<32])))
        (pack, frame, offset) = (word(0), word(1), word(2))
        (sealedLength, inside, length) = (word(3), word(4), word(5))
    }

    func write(to target: UnsafeMutableRawBufferPointer) {
        let words = id.digest.words
        func put(_ word: UInt64, _ at: Int) {
            unsafe target.storeBytes(of: word.bigEndian, toByteOffset: at, as: UInt64.self)
        }
        put(words.0, 0)
        put(words.1, 8)
        put(words.2, 16)
        put(words.3, 24)
        put(UInt64(pack) << 32 | UInt64(frame), 32)
        put(UInt64(offset) << 32 | UInt64(sealedLength), 40)
        put(UInt64(inside) << 32 | UInt64(length), 48)
    }

    /// Chunk by chunk, and each in the order of its packs.
    static func isBefore(_ left: SegmentEntry, _ right: SegmentEntry) -> Bool {
        (left.id, left.pack) < (right.id, right.pack)
    }
}

/// A sorted piece of the index: which chunks some packs hold, sealed under the index key. A hint: everything in it
/// can be read again from the packs' own tables.
package struct Segment: Sendable, Equatable {
    package struct Pack: Sendable, Hashable {
        package var root: Digest
        /// The session whose key opens it.
        package var origin: SessionID

        package init(root: Digest, origin: SessionID) {
            self.root = root
            self.origin = origin
        }
    }

    package var packs: [Pack]
    /// Ordered by chunk id, then pack.
    package var entries: [SegmentEntry]

    private static let magic = Array("BWSG".utf8)
    private static let headerByteCount = 4 + 1 + 32
    /// A session writes several segments rather than a longer one.
    package static let mostEntries = 1 << 16

    package init(packs: [Pack], entries: [SegmentEntry]) {
        self.packs = packs
        self.entries = entries
    }

    package func seal(_ secret: WriterSecret, repository: RepositoryID, salt: [UInt8]) throws(Failure) -> [UInt8] {
        let header = Self.magic + [1] + salt
        let plain = CanonicalEncoder.bytes { encoder in
            encoder.list(packs) {
                $0.digest($1.root)
                $0.identifier($1.origin)
            }
            encoder.number(entries.count)
            encoder.raw(
                unsafe [UInt8](unsafeUninitializedCapacity: entries.count * SegmentEntry.byteCount) { target, count in
                    for (position, entry) in entries.enumerated() {
                        let at = position * SegmentEntry.byteCount
                        unsafe entry.write(
                            to: UnsafeMutableRawBufferPointer(
                                rebasing: UnsafeMutableRawBufferPointer(target)[at..<at + SegmentEntry.byteCount]))
                    }
                    count = entries.count * SegmentEntry.byteCount
                })
        }
        return header
            + (AESGCM.seal(plain, key: Self.key(secret, salt), associated: header + repository.digest.bytes))
    }

    package init(_ bytes: [UInt8], _ secret: WriterSecret, repository: RepositoryID, name: String) throws(Failure) {
        guard bytes.count > Self.headerByteCount, Array(bytes[0..<4]) == Self.magic, bytes[4] == 1 else {
            throw Failure(.damaged, "\(name) does not begin like a segment of version 1")
        }
        let header = Array(bytes[0..<Self.headerByteCount])
        let salt = Array(header[5...])
        let plain = try AESGCM.open(
            Array(bytes[Self.headerByteCount...]), key: Self.key(secret, salt),
            associated: header + repository.digest.bytes)
        var decoder = CanonicalDecoder(plain, name)
        packs = try decoder.list(smallest: 48) { (inner: inout CanonicalDecoder) throws(Failure) in
            Pack(root: try inner.digest(), origin: try inner.identifier())
        }
        let count = Int(try decoder.number(atMost: UInt64(plain.count / SegmentEntry.byteCount)))
        guard decoder.remaining == count * SegmentEntry.byteCount else { throw decoder.malformed("entries cut short") }
        let start = decoder.offset
        let packCount = UInt32(packs.count)
        var entries: [SegmentEntry] = []
        entries.reserveCapacity(count)
        unsafe plain.withUnsafeBytes { buffer in
            for position in 0..<count {
                let at = start + position * SegmentEntry.byteCount
                let entry = unsafe SegmentEntry(
                    UnsafeRawBufferPointer(rebasing: buffer[at..<at + SegmentEntry.byteCount]))
                if entry.pack < packCount { entries.append(entry) }
            }
        }
        self.entries = entries
    }

    private static func key(_ secret: WriterSecret, _ salt: [UInt8]) -> [UInt8] {
        HKDF.derive(key: secret.indexKey, salt: salt, info: Array("breakwater segment v1".utf8), count: 32)
    }
}
