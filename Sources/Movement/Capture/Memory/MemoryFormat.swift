import Platform
import Repository
import Sealing

/// How memories lie on the disk: `BWFM`, a version, a salt, then frames of 64 KiB sealed one after another, the last of
/// them shorter. In the frames, items: a byte for the kind, four for the length, and the payload.
///
/// A file that was cut off is good as far as its last whole frame.
package enum MemoryFormat {
    package static let magic = Array("BWFM".utf8) + [2]
    package static let saltByteCount = 32
    static let headerByteCount = magic.count + saltByteCount
    package static let frameByteCount = 64 << 10
    static let sealedByteCount = frameByteCount + AESGCM.tagByteCount
    package static let itemHeaderByteCount = 5
    static let longestItem = 128 << 10
    /// Ids in one item.
    static let mostIDs = 1024

    enum Item: UInt8 {
        /// Ids of chunks, 32 bytes each, of the file that comes next.
        case chunks = 1
        /// Key, how many bytes before this item the file's `chunks` begin (0: it has none), content, attributes.
        case file = 2
        /// Of a disk: the number of a block, 8 bytes, and the ids of the chunks of that block and the next ones.
        case blocks = 3
        /// The last item: which snapshot's, under which label, of which size the disk is whose blocks came before.
        case disk = 4
    }

    /// What a file is known by: half of a hash over its identity.
    package struct Key: Equatable {
        var high: UInt64
        var low: UInt64

        package init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

        init(_ file: FileIdentity) {
            var bytes: [UInt8] = []
            for word in [
                file.fileSystem, file.inode, file.size, UInt64(bitPattern: file.modifiedSeconds),
                UInt64(file.modifiedNanoseconds), UInt64(bitPattern: file.changedSeconds),
                UInt64(file.changedNanoseconds),
            ] { bytes += MemoryFormat.bytes(word) }
            let digest = SHA256.hash(bytes)
            (high, low) = (digest.words.0, digest.words.1)
        }

        var bytes: [UInt8] { MemoryFormat.bytes(high) + MemoryFormat.bytes(low) }
    }

    static let keyByteCount = 16

    static func cipher(_ secret: WriterSecret, header: [UInt8]) -> AESGCM {
        AESGCM(
            key: HKDF.derive(key: secret.secret, salt: header, info: Array("breakwater file memory v2".utf8), count: 32)
        )
    }

    static func file(
        _ key: Key, chunksBegin back: UInt64, _ content: ContentRef, _ attributes: [TreeEntry.ExtendedAttribute]
    ) -> [UInt8] {
        CanonicalEncoder.bytes { encoder in
            encoder.raw(key.bytes)
            encoder.number(back)
            content.encode(to: &encoder)
            encoder.list(attributes) {
                $0.string($1.name)
                $0.string($1.value)
            }
        }
    }

    static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }

    package static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
