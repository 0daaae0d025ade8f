internal import ObjectStore
package import Platform
internal import Sealing

/// In a vault that locks its data for a term, all that a snapshot needs stays locked for the term from its commit on, so that
/// nobody who holds the store's credentials can take it away meanwhile. In other vaults nothing of this happens.
extension Repository {
    /// Requests under way at the same time.
    private static let lockWorkers = 8

    /// Sees, before a commit, that what the snapshot is going to need stays locked for the store's term from now: packs, sets
    /// and envelopes, and the segments that tell of the packs. What is locked for long enough is left as it is.
    /// - Parameters:
    ///   - digests: of what the snapshot needs; what is live under them in the log counts.
    ///   - new: objects that its commit brings.
    /// - Throws: `.refused`, with the reason, when one of them cannot be kept locked: then there is to be no commit;
    ///   `.unreachable` and `.unknownOutcome` of the store.
    package func retain(_ digests: Set<Digest>, new: [ObjectRef]) throws {
        guard let store = store as? any RetainingStore else { return }
        let state = log.state
        // Copies of the same digest serve each other: one of them must stay.
        var groups = new.map { [$0.name] }
        var writers: Set<SessionID> = []
        for digest in digests {
            let names = state.objects.names(of: digest).filter { state.objects[$0]?.status == .live }
            if !names.isEmpty { groups.append(names) }
            for name in names where name.kind == .pack { writers.insert(name.session) }
        }
        let hints = state.objects.filter {
            $0.key.kind == .segment && $0.value.status == .live && writers.contains($0.key.session)
        }
        groups += hints.map { [$0.key] }
        try Workers.each(groups, on: Self.lockWorkers) { names in
            var problem: Failure?
            for name in names {
                do throws(Failure) { return try store.retain(try name.key()) } catch { problem = problem ?? error }
            }
            guard let problem, let name = names.first else { return }
            // A segment that was lost is a hint that was lost.
            if name.kind == .segment, problem.code == .notFound { return }
            guard problem.isOfOneObject else { throw problem }
            throw Failure(
                .refused, "\(name) cannot be kept locked as long as the snapshot that leans on it: \(problem.what)",
                advice: "Nothing was committed; what is stored is safe. \(problem.advice)")
        }
    }

    /// The same of a snapshot that is here, for one in another vault that leans on it.
    package func retain(_ committed: LogState.Committed) throws {
        guard store is any RetainingStore else { return }
        try retain(try log.state.needs(of: committed, log.pages), new: [])
    }

    /// From when on each of these objects can be deleted, by the store's own word, for those that cannot be now. Two
    /// requests an object, in vaults that lock; none in others.
    package func locks(of names: [ObjectName]) throws -> [ObjectName: Timestamp] {
        guard let store = store as? any RetainingStore else { return [:] }
        let found = Monitor<[ObjectName: Timestamp]>([:])
        try Workers.each(names, on: Self.lockWorkers) { name in
            guard let until = try store.lockedUntil(try name.key()) else { return }
            found.access { $0[name] = until }
        }
        return found.access { $0 }
    }
}

extension ObjectKind {
    /// Whether a vault that locks data locks this: all that a snapshot is restored from, given the log and a key. What the log
    /// names besides lies where it can be put conditionally; a slot and a site key where destroying them destroys them.
    package var isLocked: Bool {
        switch self {
        case .pack, .segment, .envelope, .set, .manifest: true
        case .slot, .page, .checkpoint, .siteKey: false
        }
    }
}

extension ObjectName {
    /// Whether bytes are those that the name promises. No key is needed.
    package func promises(_ bytes: [UInt8]) -> Bool {
        guard kind == .pack else { return SHA256.hash(bytes) == digest }
        return (try? PackLayout.verify(bytes, root: digest, name: path)) != nil
    }
}
