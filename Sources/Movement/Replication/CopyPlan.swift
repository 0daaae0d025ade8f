internal import Platform
internal import Repository

/// What of a snapshot's packs is at the destination, and what has to come.
///
/// A pack that was repacked leaves out what nobody needed at that vault, at that time. So where the destination moved a
/// root, what it moved it to serves this snapshot only if the origin moved it to the very same; otherwise what the
/// origin has is brought besides, or the whole pack in its place.
struct CopyPlan {
    /// Packs to fetch, in ascending order.
    private(set) var missing: [Digest] = []
    /// Roots that were moved here and have to lie here whole again, under their own name.
    private(set) var restored: [Digest] = []
    /// Roots whose content lies in other packs than the destination's log says, and those packs.
    private(set) var relocated: [(root: Digest, packs: [Digest])] = []
    /// Packs that moved roots lead to: a commit lists them, to show that it knows.
    private(set) var listed: [Digest] = []
    /// Packs that need not be fetched.
    private(set) var there: Set<Digest> = []

    /// - Parameter isThere: whether a pack that the destination's log holds alive is in the store, too.
    init(
        _ roots: Set<Digest>, origin: LogState, here: LogState, isThere: (Digest) throws(Failure) -> Bool
    ) throws(Failure) {
        var wanted: Set<Digest> = []
        var whole: Set<Digest> = []
        var known: Set<Digest> = []
        for root in roots.sorted() {
            let local = here.packs(for: root)
            let packs = origin.packs(for: root)
            if local == [root] {
                if try isThere(root) {
                    there.insert(root)
                } else if packs == [root] {
                    wanted.insert(root)
                } else {
                    relocated.append((root, packs))
                }
            } else if packs == [root] {
                whole.insert(root)
            } else {
                let union = Set(local).union(packs)
                if union == Set(local) { known.formUnion(union) } else { relocated.append((root, union.sorted())) }
            }
        }
        for pack in relocated.flatMap(\.packs) {
            known.insert(pack)
            // Moved on here, it must be whole again before anything leads to it.
            if here.packs(for: pack) != [pack] { whole.insert(pack) }
        }
        for pack in known.union(whole) {
            if try isThere(pack) { there.insert(pack) } else { wanted.insert(pack) }
        }
        missing = wanted.sorted()
        restored = whole.sorted()
        listed = known.sorted()
    }
}

extension LogState {
    func isLive(_ kind: ObjectKind, _ digest: Digest) -> Bool {
        names(of: kind, digest).contains { objects[$0]?.status == .live }
    }
}
