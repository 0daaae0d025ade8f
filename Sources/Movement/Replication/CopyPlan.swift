internal import Platform
internal import Repository

/// What of a snapshot's packs is at the destination, and what has to come.
struct CopyPlan {
    /// Packs to fetch, in ascending order.
    private(set) var missing: [Digest] = []
    /// Roots whose content lies in other packs at the origin, and in none at the destination.
    private(set) var relocated: [(root: Digest, packs: [Digest])] = []
    /// Packs that need not be fetched.
    private(set) var there: Set<Digest> = []

    /// - Parameter isThere: whether a pack that the destination's log holds alive is in the store, too.
    init(
        _ roots: Set<Digest>, origin: LogState, here: LogState, isThere: (Digest) throws(Failure) -> Bool
    ) throws(Failure) {
        var wanted: Set<Digest> = []
        for root in roots.sorted() {
            let local = here.packs(for: root)
            if try Self.all(local, isThere) {
                there.formUnion(local)
                continue
            }
            let packs = origin.packs(for: root)
            for pack in packs where try !isThere(pack) { wanted.insert(pack) }
            if Set(local) != Set(packs) { relocated.append((root, packs)) }
        }
        missing = wanted.sorted()
    }

    private static func all(
        _ packs: [Digest], _ isThere: (Digest) throws(Failure) -> Bool
    ) throws(Failure) -> Bool {
        for pack in packs where try !isThere(pack) { return false }
        return true
    }
}

extension LogState {
    func isLive(_ kind: ObjectKind, _ digest: Digest) -> Bool {
        names(of: kind, digest).contains { objects[$0]?.status == .live }
    }
}
