package import Platform
package import Sealing
internal import ObjectStore

extension Repository {
    /// Begins a backup: claims what the log holds, so that nothing leaned on goes meanwhile.
    package func beginBackup(_ options: BackupSession.Options = .init()) throws -> BackupSession {
        try BackupSession(self, options: options)
    }

    // MARK: - Index

    package enum IndexUse: Sendable {
        /// Packs to lean on: live, of writers in good standing, with an envelope in the log.
        case writing
        /// Packs to read from.
        case reading
    }

    /// Every segment the log holds, opened; those that do not open are named, and their packs looked into instead.
    package func loadIndex(for use: IndexUse) throws(Failure) -> (index: ChunkIndex, damaged: [ObjectName]) {
        guard let secret = keys.secret else { throw Failure(.refused, "the index of \(store.location) needs its key") }
        let state = log.state
        let distrusted = use == .writing ? distrustedSessions(state) : []
        var segments: [Segment] = []
        var damaged: [ObjectName] = []
        var seen: Set<Digest> = []
        for (name, held) in state.objects.sorted(by: { $0.key < $1.key })
        where name.kind == .segment && held.status != .condemned && !seen.contains(name.digest)
            // Nor is a revoked writer believed on what lies in the packs of others.
            && !distrusted.contains(name.session)
        {
            do throws(Failure) {
                let bytes = try objects.read(name)
                segments.append(try Segment(bytes, secret, repository: id, name: name.path))
                seen.insert(name.digest)
            } catch  where error.code == .damaged || error.code == .notFound { damaged.append(name) }
        }
        let envelopes = state.envelopes
        let index = ChunkIndex(segments: segments) { pack in
            let names = state.names(of: .pack, pack.root)
            switch use {
            case .reading: return !names.isEmpty
            case .writing:
                return names.contains { state.objects[$0]?.status == .live } && envelopes[pack.origin] != nil
                    && !distrusted.contains(pack.origin) && state.moved[pack.root] == nil
            }
        }
        return (index, damaged)
    }

    /// A list of objects for a record; long ones go to pages first.
    package func listing(_ references: [ObjectRef], session: SessionID) throws(Failure) -> Listing {
        guard references.count > Listing.longestInline / 2 else { return .inline(references) }
        var pages: [ObjectRef] = []
        for start in stride(from: 0, to: references.count, by: Listing.longestInline) {
            let end = min(start + Listing.longestInline, references.count)
            pages.append(
                try Self.put(Listing.page(Array(references[start..<end])), as: .page, session: session, store))
        }
        return .paged(pages)
    }
}
