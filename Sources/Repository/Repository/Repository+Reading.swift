internal import ObjectStore
package import Platform
package import Sealing

extension Repository {
    /// The bytes of an object by its digest, from this vault or, when it is damaged here, from another.
    package func object(_ kind: ObjectKind, _ digest: Digest) throws(Failure) -> [UInt8] {
        var problem: Failure?
        for vault in [self] + alternates {
            do throws(Failure) {
                return try vault.objects.page(vault.log.state.names(of: kind, digest))
            } catch {
                guard error.isOfOneObject else { throw error }
                problem = problem ?? error
            }
        }
        throw problem ?? Failure(.notFound, "\(kind.folder)/\(digest) is in no vault at hand")
    }

    /// The key of a session, out of its envelope.
    package func sessionKey(_ session: SessionID, envelope digest: Digest) throws(Failure) -> SessionKey {
        guard !keys.readers.isEmpty else {
            throw Failure(
                .refused, "reading \(store.location) needs a reader key", advice: "Give the repository's passphrase.")
        }
        var problem: Failure?
        for candidate in envelopes(of: session, first: digest) {
            do throws(Failure) {
                return try openEnvelope(session, candidate)
            } catch {
                guard error.isOfOneObject else { throw error }
                // That one is not there says less than that the keys do not open another.
                if problem?.code != .refused { problem = error }
            }
        }
        throw problem ?? Failure(.notFound, "envelope \(digest) is in no vault at hand")
    }

    /// The envelope a manifest names, and those beside it that this vault or another at hand knows.
    func envelopes(of session: SessionID, first: Digest) -> [Digest] {
        let reference = ClearPart.SessionEnvelope(session: session, envelope: first)
        var found: [Digest] = []
        for vault in [self] + alternates {
            for digest in vault.log.state.wraps(of: reference) where !found.contains(digest) { found.append(digest) }
        }
        return found.contains(first) ? found : found + [first]
    }

    private func openEnvelope(_ session: SessionID, _ digest: Digest) throws(Failure) -> SessionKey {
        SessionKey(session: session, repository: id, dataKey: try opened(session, digest, keys.readers).dataKey)
    }

    /// An envelope of a session, and the data key in it.
    /// - Throws: `.refused` when none of the readers is of its generation.
    func opened(
        _ session: SessionID, _ digest: Digest, _ readers: [ReaderKey]
    ) throws(Failure) -> (envelope: Envelope, dataKey: [UInt8]) {
        let envelope = try Envelope(try object(.envelope, digest))
        guard envelope.session == session, envelope.repository == id else {
            throw Failure(.damaged, "envelope \(digest) is of another session")
        }
        var problem: Failure?
        for reader in readers where reader.generation == envelope.generation {
            do throws(Failure) { return (envelope, try envelope.open(reader)) } catch { problem = problem ?? error }
        }
        throw problem
            ?? Failure(.refused, "the keys at hand do not open reader generation \(envelope.generation)")
    }

    /// Opens a committed snapshot: verifies its signature, compares it with the log, opens its sealed part.
    package func snapshot(_ committed: LogState.Committed) throws(Failure) -> Snapshot {
        let digest = committed.manifest.name.digest
        let manifest = try Manifest(try object(.manifest, digest), root: log.state.charter.root, repository: id)
        guard manifest.clear == committed.clear else {
            throw Failure(.damaged, "manifest \(digest) is not the one that the log describes")
        }
        guard let own = committed.clear.envelopes.first(where: { $0.session == committed.clear.session }) else {
            throw Failure(.damaged, "manifest \(digest) carries no envelope of its own session")
        }
        let key = try sessionKey(own.session, envelope: own.envelope)
        return Snapshot(committed: committed, part: try manifest.open(key), manifest: manifest)
    }

    /// Every snapshot that is committed and not forgotten, oldest first by the log, with what is wrong with those
    /// that cannot be opened.
    package func snapshots() throws(Failure) -> (snapshots: [Snapshot], damaged: [(id: Digest, problem: Failure)]) {
        var opened: [Snapshot] = []
        var damaged: [(Digest, Failure)] = []
        for committed in log.state.recoveryPoints {
            do throws(Failure) {
                opened.append(try snapshot(committed))
            } catch {
                guard error.isOfOneObject, error.code != .refused else { throw error }
                damaged.append((committed.manifest.name.digest, error))
            }
        }
        return (opened, damaged)
    }

    /// The snapshot that `text` means: an id, a prefix that only one has, or `latest:NAME`.
    /// - Throws: `.notFound`; `.usage` when several begin so.
    package func findSnapshot(_ text: String) throws(Failure) -> Snapshot {
        if text.hasPrefix("latest:") { return try latestSnapshot(named: String(text.dropFirst("latest:".count))) }
        guard let committed = log.state.snapshots[try snapshotID(text)] else {
            throw Failure(.notFound, "no snapshot's id begins with \(text)")
        }
        return try snapshot(committed)
    }

    /// The id that `text` begins, whether or not that snapshot can be opened.
    /// - Throws: `.notFound`; `.usage` when several begin so.
    package func snapshotID(_ text: String) throws(Failure) -> Digest {
        let matching = log.state.recoveryPoints.filter {
            $0.manifest.name.digest.hex.hasPrefix(text.lowercased())
        }
        guard let first = matching.first, !text.isEmpty else {
            if let cut = log.shortfall {
                throw Failure(
                    .damaged, "no snapshot that is seen has an id that begins with \(text): \(cut.what)",
                    advice: cut.advice)
            }
            throw Failure(
                .notFound, "no snapshot's id begins with \(text)",
                advice: "`breakwater repository snapshots` lists them.")
        }
        guard matching.count == 1 else {
            throw Failure(.usage, "\(matching.count) snapshots' ids begin with \(text)", advice: "Give more digits.")
        }
        return first.manifest.name.digest
    }

    /// The newest snapshot of a desktop. When that one cannot be opened, an older one is not passed off as it.
    private func latestSnapshot(named name: String) throws(Failure) -> Snapshot {
        guard let secret = keys.secret else {
            throw Failure(.refused, "finding a snapshot by its name needs the keys of \(store.location)")
        }
        // Snapshots committed after a lost record are not seen: which is the latest, nobody can say.
        if let cut = log.shortfall {
            throw Failure(
                .damaged, "which snapshot of \(name) is the latest is not known: \(cut.what)",
                advice: "A snapshot named by its id can be restored. \(cut.advice)")
        }
        let desktop = secret.desktop(named: name)
        let all = log.state.recoveryPoints.filter { $0.clear.desktop == desktop }.sorted(by: LogState.isOlder)
        guard let newest = all.last else {
            throw Failure(
                .notFound, "no snapshot is named \(name)", advice: "`breakwater repository snapshots` lists them.")
        }
        // A log that lost its end went on, and what was lost was brought back beside that.
        if let own = all.last(where: { $0.origin == .native }), newest.origin != .native,
            all.contains(where: { $0.origin != .native && $0.clear.order == own.clear.order })
        {
            let (one, other) = (own.manifest.name.digest.hex.prefix(12), newest.manifest.name.digest.hex.prefix(12))
            throw Failure(
                .refused, "\(name) has two latest snapshots: \(one), taken here, and \(other), which was brought back",
                advice:
                    "`breakwater repository snapshots` says when they were taken: name one by its id. After the next "
                    + "backup of \(name) that is the latest.")
        }
        do throws(Failure) {
            return try snapshot(newest)
        } catch {
            guard error.code == .damaged || error.code == .notFound else { throw error }
            let older = all.dropLast().last.map {
                "; or restore the one before it, \($0.manifest.name.digest.hex.prefix(12))"
            }
            throw Failure(
                .damaged,
                "the newest snapshot of \(name), \(newest.manifest.name.digest.hex.prefix(12)), cannot be opened: \(error.what)",
                advice: "\(Self.elsewhere)\(older ?? "").")
        }
    }

    /// What helps where bytes of this vault are damaged, for programs of every kind: a sentence without a full stop.
    static let elsewhere = "Another vault may have it whole: `restore --also` and `repair --from` name one"
}
