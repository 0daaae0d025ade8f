internal import ObjectStore
package import Platform
internal import Sealing

/// While a long session runs it commits what is in packs so far as a *stage*: no recovery point, but enough for a later
/// session to lean on, should this one be cut off. The commit at the end carries everything, and the stages go.
extension BackupSession {
    /// For whom stages are committed, and how often.
    package struct Staging: Sendable {
        /// The desktop's.
        package var name: String
        package var time: Timestamp
        package var host: String
        /// A stage is due when so many bytes were stored since the last, and a sixteenth of all: there are few, and
        /// little is lost, however long the backup.
        package var bytes: UInt64 = 64 << 20
        /// Or when anything was, and so many nanoseconds went by.
        package var pause: UInt64 = 300_000_000_000

        package init(name: String, time: Timestamp, host: String) {
            self.name = name
            self.time = time
            self.host = host
        }
    }

    /// What of a session stands in its stages.
    struct Staged {
        /// Manifests.
        var stages: [Digest] = []
        var roots: Set<Digest> = []
        /// Of the packs.
        var bytes: UInt64 = 0
        /// When the last stage was committed, or the session begun: nanoseconds of `Surroundings.uptime`.
        var at: UInt64

        init(at: UInt64) { self.at = at }
        var isEmpty: Bool { stages.isEmpty }
    }

    /// Sealed bytes that a later session finds even if this one never commits.
    package var keptBytes: UInt64 { staged.bytes }

    func stageIfDue() throws {
        guard let staging, packs.storedBytes > staged.bytes else { return }
        let fresh = packs.storedBytes - staged.bytes
        let now = repository.surroundings.uptime()
        guard fresh >= max(staging.bytes, staged.bytes / 16) || now &- staged.at >= staging.pause else { return }
        try commitStage(packs.take(), staging)
    }

    /// Commits everything stored so far as a stage, also what is not yet a full pack. Nothing is done in a session that
    /// was begun without `Options.staging`, or in a repository that does not require stages.
    /// - Throws: as `commit`.
    package func stage() throws {
        guard let staging else { return }
        for kind in ChunkKind.allCases { try flush(kind) }
        try commitStage(try packs.finish(), staging)
    }

    /// Ends the session before its end. Nothing becomes visible; what it stored is left to the next session as a stage,
    /// if that can be had.
    package func interrupt() throws {
        if let staging {
            for kind in ChunkKind.allCases { try? flush(kind) }
            // What was put before something went wrong is whole.
            try? commitStage((try? packs.finish()) ?? packs.take(), staging)
        }
        try abandon()
    }

    private func commitStage(_ finished: [PackWriter.Finished], _ staging: Staging) throws {
        try gather(finished)
        guard !gathered.objects.isEmpty else { return }
        let roots = gathered.roots
        var objects = staged.isEmpty ? [envelope] : []
        objects += gathered.objects
        let sets = try putSets(roots)
        objects += sets.new
        let clear = ClearPart(
            repository: repository.id, desktop: secret.desktop(named: staging.name), generation: 0, sequence: 0,
            previous: nil, consistency: .crash, readerGeneration: readerGeneration, streams: [], sets: sets.all,
            leans: [], envelopes: [.init(session: id, envelope: envelope.name.digest)], session: id,
            salt: repository.surroundings.random(32))
        let bytes = gathered.bytes
        let part = SealedPart(
            name: staging.name, time: staging.time, host: staging.host, streams: [], storedBytes: bytes, incomplete: 0)
        let manifest = try Manifest(
            clear: clear, sealedPart: part, key: key, author: author.key, certificate: author.certificate)
        let reference = try Repository.put(manifest.bytes, as: .manifest, session: id, repository.store)
        let listing = try repository.listing(objects, session: id)
        try repository.appendAsAuthor { _ in
            .commit(
                RecordBody.Commit(
                    origin: .native, session: id, manifest: reference, clear: manifest.clear.bytes, objects: listing))
        }
        gathered = Gathered()
        staged.stages.append(reference.name.digest)
        staged.roots.formUnion(roots)
        staged.bytes += bytes
        staged.at = repository.surroundings.uptime()
    }
}

extension Repository {
    /// Forgets the stages that serve nobody any more, where this opener holds the vault's site key. Their objects are a
    /// collector's then, those apart that recovery points need.
    /// - Returns: how many were forgotten.
    @discardableResult
    package func forgetSupersededStages() throws -> Int {
        guard keys.site != nil, !log.state.supersededStages.isEmpty else { return 0 }
        var count = 0
        try appendAsSite { state in
            let stages = Array(state.supersededStages.prefix(Listing.longestInline))
            guard !stages.isEmpty else { throw Failure(.exists, "somebody else has forgotten them") }
            count = stages.count
            return .forget(stages)
        }
        return count
    }
}
