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
}

/// A sorted piece of the index: which chunks some packs hold, sealed under the index key. A hint: everything in it
/// can be read again from the packs' own tables.
package struct Segment: Sendable, Equatable {
    package struct Pack: Sendable, Hashable {
        package var root: Digest
        /// The session whose key opens it.
        package var origin: SessionID
    }

    package var packs: [Pack]
    /// Ordered by chunk id, then pack.
    package var entries: [SegmentEntry]

    private static let magic = Array("BWSG".utf8)
    private static let headerByteCount = 4 + 1 + 32
    /// A session writes several segments rather than a longer one.
    package static let mostEntries = 1 << 18

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
            for entry in entries {
                encoder.digest(entry.id.digest)
                for word in [entry.pack, entry.frame, entry.offset, entry.sealedLength, entry.inside, entry.length] {
                    for shift in [24, 16, 8, 0] { encoder.byte(UInt8(truncatingIfNeeded: word >> UInt32(shift))) }
                }
            }
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
                func word(_ index: Int) -> UInt32 {
                    UInt32(bigEndian: unsafe buffer.loadUnaligned(fromByteOffset: at + 32 + 4 * index, as: UInt32.self))
                }
                let id = unsafe ChunkID(Digest(UnsafeRawBufferPointer(rebasing: buffer[at..<at + 32])))
                let entry = SegmentEntry(
                    id: id, pack: word(0), frame: word(1), offset: word(2), sealedLength: word(3), inside: word(4),
                    length: word(5))
                if entry.pack < packCount { entries.append(entry) }
            }
        }
        self.entries = entries
    }

    private static func key(_ secret: WriterSecret, _ salt: [UInt8]) -> [UInt8] {
        HKDF.derive(key: secret.indexKey, salt: salt, info: Array("breakwater segment v1".utf8), count: 32)
    }
}
