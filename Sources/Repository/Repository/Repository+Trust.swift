internal import ObjectStore
internal import Platform
internal import Sealing

extension Repository {
    /// Whether what a snapshot says may be built upon: its writer was not revoked.
    package func isTrusted(_ snapshot: LogState.Committed) -> Bool {
        !distrustedSessions(log.state).contains(snapshot.clear.session)
    }

    /// Sessions whose author was revoked: their packs are read, and never leaned on again, and their segments are not
    /// believed. Of a copied commit, which its site signed, the author is the one who signed the commit at the origin.
    ///
    /// Once anybody was revoked, an author who cannot be made out is not trusted either, for example since the session's
    /// own snapshot was collected: content is stored again, and nothing is lost by it.
    func distrustedSessions(_ state: LogState) -> Set<SessionID> {
        guard !state.revoked.isEmpty else { return [] }
        // Relocations are the site's.
        var trusted = Set(state.moved.values.flatMap { $0.objects.map(\.name.session) })
        for snapshot in state.snapshots.values {
            let author =
                switch snapshot.origin {
                case .native: snapshot.author
                case .copied(let vault, let number, let hash): author(of: snapshot, vault, number, hash)
                }
            // What was copied lies under the names of the session that copied it.
            if let author, !state.revoked.contains(author) {
                trusted.formUnion([snapshot.clear.session, snapshot.manifest.name.session])
            }
        }
        let known = Set(state.objects.keys.map(\.session)).union(state.envelopes.keys)
        return known.subtracting(trusted).union(state.distrustedSessions)
    }

    /// The origin's record is known by its hash, which the copied commit carries. Where it is itself a copy, or its
    /// mirror is damaged, the manifest says who signed it.
    private func author(
        of snapshot: LogState.Committed, _ vault: VaultID, _ number: UInt64, _ hash: Digest
    ) -> AuthorID? {
        let object = try? store.recordObject(number, folder: "origins/\(vault)/log")
        for bytes in object.map({ Record.Halves($0).different }) ?? [] where Record.hash(ofRecord: bytes) == hash {
            // The hash vouches for it; the origin's site key is not known here.
            if let author = Record.certifiedAuthor(bytes) { return author }
        }
        let bytes = try? self.object(.manifest, snapshot.manifest.name.digest)
        return bytes.flatMap { try? Manifest($0, root: log.state.charter.root, repository: id) }?.author
    }
}
