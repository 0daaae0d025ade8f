import Platform
import Repository

/// What the first cluster of a qcow2 image says (QEMU, docs/interop/qcow2.txt), checked: of an image with anything in it
/// that Breakwater does not know, none is read.
struct QCOW2Header {
    enum Compression: UInt8 {
        case zlib = 0
        case zstd = 1
    }

    struct Backing {
        /// As the image names it.
        var name: String
        var format: String?
    }

    /// Of the disk, in bytes.
    let size: UInt64
    let clusterBits: Int
    /// Marks of its own tell of each 32nd part of a cluster.
    let hasSubclusters: Bool
    /// Whether clusters may be marked as zeros: from version 3 on.
    let knowsZeros: Bool
    let compression: Compression
    let backing: Backing?
    /// Where the table of tables (L1) begins, and the entries of it that the disk needs.
    let l1: (offset: UInt64, count: Int)

    var cluster: UInt64 { 1 << UInt64(clusterBits) }
    /// Bytes of an L2 table's entry.
    var entry: Int { hasSubclusters ? 16 : 8 }
    /// Bytes of the disk that an L2 table tells of.
    var reach: UInt64 { cluster / UInt64(entry) * cluster }

    private static let leastByteCount = 104
    private static let longestName = 1023
    private static let mostExtensions = 64
    /// Features without which an image is not understood, by their bits.
    private static let (isDirty, isCorrupt, hasDataFile, hasCompression, hasSubclusters) = (0, 1, 2, 3, 4)
    private static let endOfExtensions: UInt32 = 0
    private static let backingFormat: UInt32 = 0xE279_2ACA

    /// - Throws: `.refused` for what Breakwater does not read; `.damaged` for what makes no sense.
    init(_ file: ImageFile) throws(Failure) {
        func damaged(_ what: String) -> Failure { file.damaged(what) }
        guard file.size >= UInt64(Self.leastByteCount), try file.begins(with: QCOW2.magic) else {
            throw damaged("it does not begin as one")
        }
        let start = Words(try file.bytes(at: 0, count: Self.leastByteCount))
        let version = start.word(4)
        guard version == 2 || version == 3 else {
            throw file.refused("it is of version \(version), and versions 2 and 3 are known")
        }
        let bits = start.word(20)
        guard (9...21).contains(bits) else { throw damaged("its clusters are of 2^\(bits) bytes") }
        clusterBits = Int(bits)
        let cluster = UInt64(1) << bits
        let first = Words(try file.bytes(at: 0, count: Int(min(cluster, file.size))))
        let length = version == 2 ? 72 : UInt64(start.word(100))
        guard version == 2 || (length >= UInt64(Self.leastByteCount) && length % 8 == 0 && length <= first.count) else {
            throw damaged("its header is of \(length) bytes")
        }
        let features = version == 2 ? 0 : start.long(72)
        try Self.check(features, start, file)
        knowsZeros = version > 2
        hasSubclusters = features >> UInt64(Self.hasSubclusters) & 1 == 1
        guard !hasSubclusters || bits >= 14 else { throw damaged("its subclusters are smaller than a sector") }
        let method = length > 104 ? first.byte(104) : 0
        guard let compression = Compression(rawValue: method) else {
            throw file.refused("its clusters are compressed by method \(method), and zlib and zstd are known")
        }
        guard (features >> UInt64(Self.hasCompression) & 1 == 1) == (method != 0) else {
            throw damaged("it contradicts itself about how it is compressed")
        }
        self.compression = compression
        backing = try Self.backing(first, headerLength: Int(length), file)
        size = start.long(24)
        guard size <= DiskRef.largest else { throw file.refused("its disk of \(size) bytes is too large") }
        guard size % QCOW2.sector == 0 else { throw damaged("its disk of \(size) bytes is not of whole sectors") }
        let reach = cluster / (hasSubclusters ? 16 : 8) * cluster
        let (count, offset) = ((size + reach - 1) / reach, start.long(40))
        guard UInt64(start.word(36)) >= count, count * 8 <= QCOW2.longestL1 else {
            throw damaged("its L1 table of \(start.word(36)) entries does not fit a disk of \(size) bytes")
        }
        guard count == 0 || (offset % cluster == 0 && offset <= file.size && count * 8 <= file.size - offset) else {
            throw damaged("its L1 table at \(offset) is not in a file of \(file.size) bytes")
        }
        l1 = (offset, Int(count))
    }

    private static func check(_ features: UInt64, _ start: Words, _ file: ImageFile) throws(Failure) {
        guard start.word(32) == 0 else {
            throw file.refused("it is encrypted", advice: "Make a plain image of it by `qemu-img convert`")
        }
        func has(_ bit: Int) -> Bool { features >> UInt64(bit) & 1 == 1 }
        if has(isCorrupt) {
            throw file.refused(
                "QEMU has marked it as corrupt", advice: "`qemu-img check -r all` mends it, as far as that goes")
        }
        if has(hasDataFile) {
            throw file.refused(
                "its data lies in another file", advice: "Back up that file as a raw disk, or use `qemu-img convert`")
        }
        // That it is dirty says that its reference counts may be wrong. Reading goes by its tables alone, which are
        // written in order.
        let known: UInt64 = 1 << isDirty | 1 << hasCompression | 1 << hasSubclusters
        guard features & ~known == 0 else {
            throw file.refused("it has features (\(String(features & ~known, radix: 16))) that are not known")
        }
    }

    private static func backing(_ first: Words, headerLength: Int, _ file: ImageFile) throws(Failure) -> Backing? {
        let (offset, length) = (first.long(8), Int(first.word(16)))
        guard offset != 0, length > 0 else { return nil }
        guard length <= min(longestName, first.count), offset <= UInt64(first.count - length) else {
            throw file.damaged("the name of what it builds upon is not in its first cluster")
        }
        var backing = Backing(name: first.text(Int(offset), length), format: nil)
        var at = headerLength
        for _ in 0..<mostExtensions {
            guard at + 8 <= Int(offset), first.word(at) != endOfExtensions else { return backing }
            let (kind, count) = (first.word(at), Int(first.word(at + 4)))
            guard count <= first.count - at - 8 else { throw file.damaged("an extension of its header is too long") }
            if kind == backingFormat { backing.format = first.text(at + 8, count) }
            at += 8 + (count + 7) / 8 * 8
        }
        throw file.damaged("its header has more than \(mostExtensions) extensions")
    }

    /// Numbers of a piece of an image; places are within it.
    private struct Words {
        private let bytes: [UInt8]
        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var count: Int { bytes.count }
        func byte(_ at: Int) -> UInt8 { bytes[at] }
        func word(_ at: Int) -> UInt32 { bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        func long(_ at: Int) -> UInt64 { bytes[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        func text(_ at: Int, _ count: Int) -> String { String(decoding: bytes[at..<at + count], as: UTF8.self) }
    }
}

extension ImageFile {
    func damaged(_ what: String) -> Failure {
        Failure(.damaged, "\(path) is no sound qcow2 image: \(what)", advice: "`qemu-img check` tells more")
    }

    func refused(_ what: String, advice: String = "") -> Failure {
        Failure(.refused, "the qcow2 image \(path) cannot be read: \(what)", advice: advice)
    }
}
