internal import ObjectStore
package import Platform
internal import Sealing

extension Repository {
    package enum IndexUse: Sendable {
        /// Packs to lean on: live, of writers in good standing, with an envelope in the log.
        case writing
        /// Packs to read from.
        case reading
    }

    /// The index of every segment the log holds: kept where `resources` say and brought up to date, or else made anew in
    /// temporary files. Segments that do not open are named, and their packs looked into instead.
    ///
    /// Whoever finds the kept one in use waits until it is up to date. What is kept is a hint as the segments are: which
    /// of its packs are used is the log's word, and what a frame holds is verified by whoever opens it.
    package func loadIndex(for use: IndexUse) throws(Failure) -> (index: ChunkIndex, damaged: [ObjectName]) {
        guard let secret = keys.secret else { throw Failure(.refused, "the index of \(store.location) needs its key") }
        let owner = IndexOwner(secret: secret, repository: id, vault: vault)
        if let kept = resources.indexes {
            do throws(IndexProblem) {
                return try assemble("\(kept)/\(id.digest.hex)/\(vault)", owner, use)
            } catch {
                switch error {
                case .vault(let failure): throw failure
                case .local(let failure):
                    resources.warn(
                        Failure(
                            failure.code, "no local index can be kept in \(kept): \(failure.what)",
                            advice: "One is made in \(resources.scratch) for this time.", cause: failure))
                }
            }
        }
        do throws(IndexProblem) {
            return try assemble(nil, owner, use)
        } catch {
            switch error {
            case .vault(let failure): throw failure
            case .local(let failure):
                throw Failure(
                    failure.code, "no local index of \(store.location) could be made: \(failure.what)",
                    advice: "The vault was not touched. An index takes 60 bytes a chunk on a disk of this machine.",
                    cause: failure)
            }
        }
    }

    /// Whose fault it is that there is no index.
    private enum IndexProblem: Error {
        case local(Failure)
        case vault(Failure)
    }

    private static func local<Result>(_ body: () throws(Failure) -> Result) throws(IndexProblem) -> Result {
        do throws(Failure) { return try body() } catch { throw .local(error) }
    }

    private func assemble(
        _ kept: String?, _ owner: IndexOwner, _ use: IndexUse
    ) throws(IndexProblem) -> (index: ChunkIndex, damaged: [ObjectName]) {
        var shelf = try Self.local { () throws(Failure) in
            let folder: IndexFolder
            if let kept {
                folder = try IndexFolder(kept: kept)
            } else {
                folder = try IndexFolder(scratch: resources.scratch)
            }
            return IndexShelf(folder, owner, resources.index, surroundings)
        }
        // What turns out damaged while it is taken up, or merged, is made anew, once.
        do throws(IndexProblem) {
            return try assemble(&shelf, owner, use)
        } catch {
            guard case .local(let failure) = error, failure.code == .damaged else { throw error }
            try Self.local { () throws(Failure) in try shelf.clear() }
            return try assemble(&shelf, owner, use)
        }
    }

    private func assemble(
        _ shelf: inout IndexShelf, _ owner: IndexOwner, _ use: IndexUse
    ) throws(IndexProblem) -> (index: ChunkIndex, damaged: [ObjectName]) {
        let state = log.state
        var segments: [Digest: [ObjectName]] = [:]
        for (name, held) in state.objects where name.kind == .segment && held.status != .condemned {
            segments[name.digest, default: []].append(name)
        }
        let covered = try Self.local { () throws(Failure) in try shelf.takeUp() }
        func isWanted(_ segment: CoveredSegment) -> Bool {
            segments[segment.digest]?.contains { $0.session == segment.teller } ?? false
        }
        let known = Set(covered.filter(isWanted).map(\.digest))
        var damaged: [ObjectName] = []
        for (digest, names) in segments.sorted(by: { $0.key < $1.key }) where !known.contains(digest) {
            guard let (segment, teller) = try read(names.sorted(), owner.secret, &damaged) else { continue }
            try Self.local { () throws(Failure) in try shelf.add(segment, digest, by: teller) }
        }
        let tellers = Set(segments.values.joined().map(\.session))
        let index = try Self.local { () throws(Failure) in
            try shelf.finish()
            let gone = covered.filter { !isWanted($0) }.reduce(0) { $0 + $1.entries }
            try shelf.compact(
                everything: gone > covered.reduce(0) { $0 + $1.entries } / 2,
                keeping: { tellers.contains($0.teller) && !state.names(of: .pack, $0.root).isEmpty }, wanting: isWanted)
            return try shelf.index(
                filter: use == .writing ? resources.index.filter : 0, keeping: isUsed(for: use, state, tellers))
        }
        return (index, damaged)
    }

    /// A segment by any of its names; those that do not open are noted.
    private func read(
        _ names: [ObjectName], _ secret: WriterSecret, _ damaged: inout [ObjectName]
    ) throws(IndexProblem) -> (segment: Segment, teller: SessionID)? {
        for name in names {
            do throws(Failure) {
                return (
                    try Segment(try objects.read(name), secret, repository: id, name: name.path), name.session
                )
            } catch {
                // A segment is a hint, whatever keeps it from being read; a refusal is one of the vault.
                guard error.isOfOneObject, error.code != .refused else { throw .vault(error) }
                damaged.append(name)
            }
        }
        return nil
    }

    /// - Parameter tellers: sessions of which the log holds a segment: of what others told, nobody knows any more why
    ///   it went.
    private func isUsed(
        for use: IndexUse, _ state: LogState, _ tellers: Set<SessionID>
    ) -> (IndexedPack) -> Bool {
        switch use {
        case .reading: return { tellers.contains($0.teller) && !state.names(of: .pack, $0.root).isEmpty }
        case .writing:
            let (envelopes, distrusted) = (state.envelopes, distrustedSessions(state))
            return { pack in
                tellers.contains(pack.teller) && !distrusted.contains(pack.teller)
                    && !distrusted.contains(pack.origin) && envelopes[pack.origin] != nil
                    && state.moved[pack.root] == nil
                    && state.names(of: .pack, pack.root).contains { state.objects[$0]?.status == .live }
            }
        }
    }
}
