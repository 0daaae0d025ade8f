internal import Platform
internal import Sealing

/// Where things lie in a file of the local index. From block 1 on:
///
///     groups of up to 4,080 blocks of entries, each group followed by its fences and filter lines | packs | segments
///
/// Fences and lines of a group stand behind it, so that whoever writes holds those of one group, and whoever opens
/// reads them in few pieces.
package struct IndexShape: Equatable {
    package let entries: Int
    let packs: Int
    let segments: Int

    /// Records of each kind, and how many of them a block holds.
    enum Record {
        static let entry = SegmentEntry.byteCount
        static let entries = IndexFile.payload / entry
        static let fence = 8
        static let fences = IndexFile.payload / fence
        static let line = IndexFilter.storedLineByteCount
        static let lines = IndexFile.payload / line
        /// Root, origin and teller.
        static let pack = 64
        static let packs = IndexFile.payload / pack
        /// Digest, teller, and the number of entries.
        static let segment = 56
        static let segments = IndexFile.payload / segment
    }
    /// Blocks of entries in a group.
    static let group = 4080

    init(entries: Int, packs: Int, segments: Int) {
        self.entries = entries
        self.packs = packs
        self.segments = segments
    }

    static func blocks(_ count: Int, of each: Int) -> Int { (count + each - 1) / each }

    /// Blocks of entries.
    var entryBlocks: Int { Self.blocks(entries, of: Record.entries) }
    var groups: Int { Self.blocks(entryBlocks, of: Self.group) }

    private static func groupLength(_ blocks: Int) -> Int {
        blocks + Self.blocks(blocks, of: Record.fences) + Self.blocks(blocks, of: Record.lines)
    }

    /// Blocks of entries in that group: all groups but the last are full.
    func blocks(in group: Int) -> Int { min(Self.group, entryBlocks - group * Self.group) }
    /// Where a group begins in the file.
    func start(of group: Int) -> Int { 1 + group * Self.groupLength(Self.group) }
    /// Where a block of entries lies in the file.
    func place(of block: Int) -> Int { start(of: block / Self.group) + block % Self.group }
    /// Entries in that block.
    func entries(in block: Int) -> Int { min(Record.entries, entries - block * Record.entries) }

    func fencesStart(of group: Int) -> Int { start(of: group) + blocks(in: group) }
    func linesStart(of group: Int) -> Int {
        fencesStart(of: group) + Self.blocks(blocks(in: group), of: Record.fences)
    }
    var packsStart: Int {
        let last = groups - 1
        return last < 0 ? 1 : start(of: last) + Self.groupLength(blocks(in: last))
    }
    var segmentsStart: Int { packsStart + Self.blocks(packs, of: Record.packs) }
    /// Of the whole file.
    var length: Int { segmentsStart + Self.blocks(segments, of: Record.segments) }

    var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.number(entries)
            $0.number(packs)
            $0.number(segments)
        }
    }

    /// - Throws: `.damaged` unless what it says makes up a file of that many blocks.
    init(_ bytes: [UInt8], blocks: Int) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "the header of a local index")
        let most = UInt64(blocks) * UInt64(IndexFile.payload)
        entries = Int(try decoder.number(atMost: most))
        packs = Int(try decoder.number(atMost: most))
        segments = Int(try decoder.number(atMost: most))
        guard length == blocks else { throw decoder.malformed("counts that make up another file") }
    }
}

/// A filter of the blocks of an index: for each block of entries one line of bits, three for each chunk in it (Bloom,
/// 1970). A block is read only where its line does not rule the chunk out.
///
/// Lines are stored with 512 bits and folded to fewer when they are held, by laying halves over each other: 7.1 bits a
/// chunk let 4 % of new chunks through, 3.6 bits 19 %, 1.8 bits 54 %.
struct IndexFilter {
    static let storedLineByteCount = 64
    static let storedWords = storedLineByteCount / 8

    /// Words that a line is held in, a power of two up to 8; 0 for none.
    let words: Int
    private(set) var lines: [UInt64] = []

    init(words: Int) { self.words = words }

    /// Words a line such that so many blocks take at most that many bytes.
    static func words(for blocks: Int, bytes: Int) -> Int {
        var words = storedWords
        while words > 0, words * 8 * blocks > bytes { words /= 2 }
        return words
    }

    mutating func reserve(_ blocks: Int) { lines.reserveCapacity(blocks * words) }

    /// The bits of a chunk in a line of that many words. Ids are uniform; the words that order them are left out.
    private static func bits(_ id: ChunkID, _ words: Int) -> (Int, Int, Int) {
        let word = id.digest.words.1
        let mask = words * 64 - 1
        return (
            Int(truncatingIfNeeded: word) & mask, Int(truncatingIfNeeded: word >> 16) & mask,
            Int(truncatingIfNeeded: word >> 32) & mask
        )
    }

    static func add(_ id: ChunkID, to line: inout [UInt64], at start: Int) {
        let bits = bits(id, storedWords)
        for bit in [bits.0, bits.1, bits.2] { line[start + (bit >> 6)] |= 1 << UInt64(bit & 63) }
    }

    /// Appends a stored line, folded.
    mutating func append(_ stored: UnsafeRawBufferPointer) {
        guard words > 0 else { return }
        for word in 0..<words {
            var folded: UInt64 = 0
            for part in stride(from: word, to: Self.storedWords, by: words) {
                folded |= UInt64(littleEndian: unsafe stored.loadUnaligned(fromByteOffset: part * 8, as: UInt64.self))
            }
            lines.append(folded)
        }
    }

    func mayHold(_ id: ChunkID, block: Int) -> Bool {
        guard words > 0 else { return true }
        let bits = Self.bits(id, words)
        let start = block * words
        func isSet(_ bit: Int) -> Bool { lines[start + (bit >> 6)] >> UInt64(bit & 63) & 1 == 1 }
        return isSet(bits.0) && isSet(bits.1) && isSet(bits.2)
    }
}
