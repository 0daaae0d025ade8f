internal import ObjectStore
internal import Platform
internal import Sealing

/// Whether packs that a log holds are in the store, at their length: asked once of each, when it is first leaned on. What
/// was lost behind the log's back is stored again rather than committed as a hole.
struct PackPresence: Sendable {
    private var known: [UInt32: Bool] = [:]

    /// - Parameter pack: its number in `index`.
    mutating func has(_ pack: UInt32, of index: ChunkIndex, in repository: Repository) -> Bool {
        if let known = known[pack] { return known }
        let state = repository.log.state
        let isThere = state.names(of: .pack, index.packs[Int(pack)].root).contains { name in
            guard let held = state.objects[name], held.status == .live, let key = try? name.key() else { return false }
            return (try? repository.store.length(of: key)) == held.length
        }
        known[pack] = isThere
        return isThere
    }
}
