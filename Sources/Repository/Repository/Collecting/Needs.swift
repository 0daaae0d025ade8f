package import Platform
internal import Sealing

/// What a vault still needs, by digest, and why: one answer for the rules, the collector, the usage of space and the
/// check.
///
/// A snapshot needs its manifest, its sets, its envelopes, and the packs that the roots in its sets resolve to. Every
/// set is read once, however many snapshots share it.
package struct Needs: Sendable, Equatable {
    /// Needed by a snapshot that is committed and not forgotten.
    package private(set) var live: Set<Digest> = []
    /// Of `live`, what only stages need: unfinished backups.
    package private(set) var staged: Set<Digest> = []
    /// Needed only because a claim stands on a snapshot that was forgotten: the digest, and that snapshot.
    package private(set) var claimed: [Digest: Digest] = [:]

    /// - Throws: what reading the sets throws: nobody decides what may go while one of them cannot be read.
    package init(_ state: LogState, _ pages: any PageSource) throws(Failure) {
        try count(state, stages: false, pages)
        try count(state, stages: true, pages)
        for digest in Set(state.claims.values.compactMap(\.scope.snapshot)).sorted() {
            guard let snapshot = state.snapshots[digest], snapshot.isForgotten else { continue }
            for need in try state.needs(of: snapshot, pages) where !live.contains(need) { claimed[need] = digest }
        }
    }

    /// Counts what recovery points need, and then what stages need besides.
    private mutating func count(_ state: LogState, stages: Bool, _ pages: any PageSource) throws(Failure) {
        var sets: Set<Digest> = []
        for (digest, snapshot) in state.snapshots where !snapshot.isForgotten && snapshot.clear.isStage == stages {
            need(digest, stages)
            for reference in snapshot.clear.envelopes {
                for wrap in state.wraps(of: reference) { need(wrap, stages) }
            }
            for set in snapshot.clear.sets where !live.contains(set) { sets.insert(set) }
        }
        // In order, so that a store is asked in the same order each time.
        for set in sets.sorted() {
            need(set, stages)
            for root in try state.roots(of: set, pages) {
                need(root, stages)
                guard state.moved[root] != nil else { continue }
                for pack in state.packs(for: root) { need(pack, stages) }
            }
        }
    }

    private mutating func need(_ digest: Digest, _ isStaged: Bool) {
        if live.insert(digest).inserted, isStaged { staged.insert(digest) }
    }

    /// Nil while a set cannot be read.
    /// - Throws: that the store does not answer.
    static func ifReadable(_ state: LogState, _ pages: any PageSource) throws(Failure) -> Needs? {
        do throws(Failure) {
            return try Needs(state, pages)
        } catch {
            guard error.isOfOneObject else { throw error }
            return nil
        }
    }

    package func contains(_ digest: Digest) -> Bool { live.contains(digest) || claimed[digest] != nil }

    /// The recovery points that need each of some objects, oldest first: what damage to these touches.
    ///
    /// - Parameter roots: the roots that a set names; nil for a set that cannot be read, whose packs are then not known.
    package static func snapshots(
        needing digests: Set<Digest>, in state: LogState, roots: (Digest) -> [Digest]?
    ) -> [Digest: [Digest]] {
        guard !digests.isEmpty else { return [:] }
        var found: [Digest: [Digest]] = [:]
        var hits: [Digest: [Digest]] = [:]
        for committed in state.recoveryPoints {
            let snapshot = committed.manifest.name.digest
            var needed = Set([snapshot] + committed.clear.sets + committed.clear.envelopes.flatMap(state.wraps(of:)))
                .intersection(digests)
            for set in committed.clear.sets {
                let hit = hits[set] ?? (roots(set) ?? []).flatMap(state.packs(for:)).filter(digests.contains)
                hits[set] = hit
                needed.formUnion(hit)
            }
            for digest in needed { found[digest, default: []].append(snapshot) }
        }
        return found
    }
}

extension LogState {
    /// The pack roots that one set names.
    /// - Throws: `.damaged` when the set is lost or damaged; what the store throws.
    func roots(of set: Digest, _ pages: any PageSource) throws(Failure) -> [Digest] {
        do throws(Failure) {
            return try PackSet(try pages.page(names(of: .set, set)), expecting: set).roots
        } catch {
            guard error.isOfOneObject else { throw error }
            throw Failure(.damaged, error.what, advice: PackSet.whenLost)
        }
    }
}
