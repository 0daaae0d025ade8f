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
        let isThere = Self.isThere(index.packs[Int(pack)].root, in: repository)
        known[pack] = isThere
        return isThere
    }

    static func isThere(_ root: Digest, in repository: Repository) -> Bool {
        let state = repository.log.state
        return state.names(of: .pack, root).contains { name in
            guard let held = state.objects[name], held.status == .live, let key = try? name.key() else { return false }
            return (try? repository.store.length(of: key)) == held.length
        }
    }
}
