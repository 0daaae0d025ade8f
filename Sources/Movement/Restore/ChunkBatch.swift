import Platform
import Repository
import Sealing

/// Chunks that are wanted at once, each fetched once however many files it belongs to, and written where it belongs.
struct ChunkBatch: Sendable {
    /// Where a chunk goes.
    struct Place: Sendable {
        var job: FileJob
        var offset: UInt64
        var length: UInt64
    }

    private(set) var wants: [SnapshotReader.Want] = []
    private var places: [[Place]] = []
    private var tags: [ChunkID: Int] = [:]
    private var count = 0

    /// More than this is written before more is asked for: it bounds the memory of a restore, and is enough for
    /// chunks to be read in the order in which they lie in packs.
    private static let most = 1 << 15

    var isEmpty: Bool { wants.isEmpty }
    var isFull: Bool { count >= Self.most }

    mutating func add(_ id: ChunkID, _ place: Place) {
        place.job.ask()
        count += 1
        if let tag = tags[id] {
            places[tag].append(place)
        } else {
            tags[id] = wants.count
            wants.append(SnapshotReader.Want(id: id, tag: wants.count))
            places.append([place])
        }
    }

    func places(of tag: Int) -> [Place] { places[tag] }
}
