package import Platform
package import Sealing

/// All that the segments of a repository say, for looking chunks up: the entries once, and an open-addressing table
/// of their positions (linear probing at half load: 64 bytes a chunk in all). Not changed once it is loaded.
package final class ChunkIndex: Sendable {
    package let packs: [Segment.Pack]
    private let entries: [SegmentEntry]
    private let table: [UInt32]
    private let ordinals: [Digest: UInt32]

    private static let vacant = UInt32.max

    package init(segments: [Segment], keeping isUsable: (Segment.Pack) -> Bool) {
        var packs: [Segment.Pack] = []
        var ordinals: [Digest: UInt32] = [:]
        var entries: [SegmentEntry] = []
        entries.reserveCapacity(segments.reduce(0) { $0 + $1.entries.count })
        for segment in segments {
            let places: [UInt32?] = segment.packs.map { pack in
                guard isUsable(pack) else { return nil }
                if let known = ordinals[pack.root] { return known }
                ordinals[pack.root] = UInt32(packs.count)
                packs.append(pack)
                return UInt32(packs.count - 1)
            }
            for entry in segment.entries {
                guard let place = places[Int(entry.pack)] else { continue }
                var kept = entry
                kept.pack = place
                entries.append(kept)
            }
        }
        var size = 16
        while size < entries.count * 2 { size *= 2 }
        var table = [UInt32](repeating: Self.vacant, count: size)
        for (position, entry) in entries.enumerated() {
            var slot = Self.slot(entry.id, size)
            while table[slot] != Self.vacant { slot = (slot + 1) & (size - 1) }
            table[slot] = UInt32(position)
        }
        self.packs = packs
        self.ordinals = ordinals
        self.entries = entries
        self.table = table
    }

    package var count: Int { entries.count }

    package func ordinal(of root: Digest) -> UInt32? { ordinals[root] }

    /// The first place of a chunk whose pack `accept` takes.
    package func find(_ id: ChunkID, in accept: (UInt32) -> Bool) -> SegmentEntry? {
        var slot = Self.slot(id, table.count)
        while table[slot] != Self.vacant {
            let entry = entries[Int(table[slot])]
            if entry.id == id, accept(entry.pack) { return entry }
            slot = (slot + 1) & (table.count - 1)
        }
        return nil
    }

    /// Chunk ids are uniform already.
    private static func slot(_ id: ChunkID, _ size: Int) -> Int {
        Int(truncatingIfNeeded: id.digest.words.0) & (size - 1)
    }
}
