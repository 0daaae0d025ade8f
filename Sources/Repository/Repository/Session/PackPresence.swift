internal import ObjectStore
internal import Platform
internal import Sealing

/// Whether packs that a log holds are in the store, at their length, and an envelope of their session is whole: asked once
/// of each, when it is first leaned on. What was lost behind the log's back is stored again rather than committed as a hole.
struct PackPresence: Sendable {
    private var known: [UInt32: Bool] = [:]
    private var envelopes: [SessionID: Bool] = [:]

    /// - Parameter pack: its number in `index`.
    mutating func has(_ pack: UInt32, of index: ChunkIndex, in repository: Repository) -> Bool {
        if let known = known[pack] { return known }
        let held = index.packs[Int(pack)]
        let isThere = hasEnvelope(of: held.origin, in: repository) && Self.isThere(held.root, in: repository)
        known[pack] = isThere
        return isThere
    }

    private mutating func hasEnvelope(of session: SessionID, in repository: Repository) -> Bool {
        if let known = envelopes[session] { return known }
        let state = repository.log.state
        let wraps = state.envelopes[session].map {
            state.wraps(of: ClearPart.SessionEnvelope(session: session, envelope: $0))
        }
        let isWhole = (wraps ?? []).contains { digest in
            (try? repository.objects.page(state.names(of: .envelope, digest))) != nil
        }
        envelopes[session] = isWhole
        return isWhole
    }

    static func isThere(_ root: Digest, in repository: Repository) -> Bool {
        let state = repository.log.state
        return state.names(of: .pack, root).contains { name in
            guard let held = state.objects[name], held.status == .live, let key = try? name.key() else { return false }
            return (try? repository.store.length(of: key)) == held.length
        }
    }
}
