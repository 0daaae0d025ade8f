import Repository
import Sealing

/// Where the data of a file with holes lie, as GNU tar's format 1.0 writes it: lines of decimal numbers, first how
/// many pieces there are, then the offset and length of each, and zeros up to the next block.
///
/// GNU tar begins each piece with a block, others read them as they lie one after another: both are right when every
/// piece but the last fills its blocks, so zeros out of the hole behind it are counted with it.
///
/// A file may have more pieces than memory should hold: they are counted first, and written as they are met again.
struct SparseMap {
    let content: ContentRef
    private let reader: SnapshotReader
    private(set) var hasHoles = false
    /// Bytes that are in no hole.
    private(set) var data: UInt64 = 0
    private var pieces: UInt64 = 0
    private var digits: UInt64 = 0

    /// - Throws: `.damaged` when the list of the chunks cannot be read.
    init(_ content: ContentRef, _ reader: SnapshotReader) throws {
        self.content = content
        self.reader = reader
        var counted: (pieces: UInt64, digits: UInt64, data: UInt64) = (0, 0, 0)
        hasHoles = try Self.forEachPiece(content, reader) { offset, length in
            counted.pieces += 1
            counted.digits += UInt64(Self.line(offset).count + Self.line(length).count)
            counted.data += length
        }
        (pieces, digits, data) = counted
    }

    /// Bytes of the map with the zeros behind it.
    var length: UInt64 {
        let bytes = UInt64(Self.line(pieces).count) + digits
        return (bytes + UInt64(TarMember.block) - 1) / UInt64(TarMember.block) * UInt64(TarMember.block)
    }

    func write(_ body: ([UInt8]) throws -> Void) throws {
        var written = UInt64(Self.line(pieces).count)
        try body(Self.line(pieces))
        _ = try Self.forEachPiece(content, reader) { offset, length in
            let lines = Self.line(offset) + Self.line(length)
            written += UInt64(lines.count)
            try body(lines)
        }
        try body(TarMember.padding(after: written))
    }

    /// How many zeros of a hole belong to the piece before it: what fills its last block, or the whole hole where that
    /// is too short, and then the piece goes on.
    static func filling(_ piece: UInt64, before hole: UInt64) -> UInt64 {
        let block = UInt64(TarMember.block)
        return min((block - piece % block) % block, hole)
    }

    private static func line(_ number: UInt64) -> [UInt8] { Array("\(number)\n".utf8) }

    /// Calls `body` for each run of chunks between holes; a file that ends in a hole has an empty piece at its end,
    /// which gives it its length. Whether there is any hole.
    private static func forEachPiece(
        _ content: ContentRef, _ reader: SnapshotReader, _ body: (_ offset: UInt64, _ length: UInt64) throws -> Void
    ) throws -> Bool {
        var cursor = ContentCursor(reader, content)
        var piece: (offset: UInt64, length: UInt64)?
        var hasHoles = false
        while let (chunk, offset) = try cursor.next() {
            if chunk.id == .hole {
                hasHoles = true
                guard let before = piece else { continue }
                let zeros = filling(before.length, before: chunk.length)
                piece = (before.offset, before.length + zeros)
                if zeros < chunk.length {
                    try body(before.offset, before.length + zeros)
                    piece = nil
                }
            } else {
                piece = (piece?.offset ?? offset, (piece?.length ?? 0) + chunk.length)
            }
        }
        if let piece { try body(piece.offset, piece.length) } else { try body(content.length, 0) }
        return hasHoles
    }
}
