internal import Platform
internal import Sealing

/// The chunks that a session has stored itself, by name: the last ones in memory, those before in sorted temporary
/// files, so that a first backup of any size stays within its memory.
struct FreshChunks {
    private var recent: Set<ChunkID> = []
    private var older: ChunkIndex?
    private var shelf: IndexShelf?
    private let owner: IndexOwner
    private let resources: Resources
    private let surroundings: Surroundings

    init(_ owner: IndexOwner, _ resources: Resources, _ surroundings: Surroundings) {
        self.owner = owner
        self.resources = resources
        self.surroundings = surroundings
    }

    func contains(_ id: ChunkID) -> Bool {
        recent.contains(id) || older?.find(id, in: { _ in true }) != nil
    }

    /// - Throws: when temporary files cannot be written.
    mutating func insert(_ id: ChunkID) throws(Failure) {
        recent.insert(id)
        guard recent.count >= resources.freshChunks else { return }
        let limits = resources.index
        var shelf: IndexShelf
        if let begun = self.shelf {
            shelf = begun
        } else {
            shelf = IndexShelf(
                try IndexFolder(scratch: resources.scratch), owner,
                IndexLimits(batch: resources.freshChunks, fanIn: limits.fanIn, filter: 0), surroundings)
        }
        let entries = recent.map {
            SegmentEntry(id: $0, pack: 0, frame: 0, offset: 0, sealedLength: 0, inside: 0, length: 0)
        }
        try shelf.add(Segment(packs: [.init(root: .zero, origin: .none)], entries: entries), .zero, by: .none)
        try shelf.compact(everything: false, keeping: { _ in true }, wanting: { _ in true })
        older = try shelf.index(filter: limits.filter / 3, keeping: { _ in true })
        self.shelf = shelf
        recent.removeAll(keepingCapacity: true)
    }
}
