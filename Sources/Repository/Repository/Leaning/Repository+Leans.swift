internal import ObjectStore
package import Platform
package import Sealing

/// What a base repository does for those that lean on its templates.
extension Repository {
    /// The claim by which a tenant's vault holds a template: one for each, whoever makes it and however often.
    static func leanClaim(of vault: VaultID, on template: Digest) -> ClaimID {
        let words = Array("breakwater lean claim v1".utf8) + [0] + vault.bytes + template.bytes
        return ClaimID(truncating: SHA256.hash(words))
    }

    /// Holds a template of this base repository for the disks of a backup in `tenant`.
    ///
    /// The claim stands in this log before the first block is looked for.
    /// - Parameter text: an id, the beginning of one, `latest:NAME`, or nil for the newest where there is one name only.
    /// - Throws: `.refused` when the tenant's repository cannot lean, the template was let go of there or is not to be
    ///   trusted, or keys of the base are not at hand; `.notFound`; what reading the template throws.
    package func template(_ text: String?, for tenant: Repository) throws -> LeanTemplate {
        let state = tenant.log.state
        guard state.charter.features.contains(Charter.lean) else {
            throw Failure(
                .refused,
                "the repository in \(tenant.store.location) was made before repositories could lean on a base",
                advice: "Its charter, which was signed when it was made, does not require `lean`: older programs would "
                    + "take leant-on blocks for damage. Back up without --base, or into a new repository.")
        }
        guard id != tenant.id else {
            throw Failure(.refused, "a repository does not lean on itself", advice: "Name another with --base.")
        }
        guard !keys.readers.isEmpty else {
            throw Failure(
                .refused, "which blocks a template of \(store.location) holds is sealed",
                advice: "Give the passphrase of the base repository.")
        }
        let template = try templateSnapshot(text)
        let short = template.id.hex.prefix(12)
        guard isTrusted(template.committed) else {
            throw Failure(.refused, "the writer of template \(short) was revoked", advice: "Name another template.")
        }
        let holdsDisk = template.part.streams.contains { if case .disk = $0.content { true } else { false } }
        guard holdsDisk else {
            throw Failure(
                .refused, "template \(short) holds no disk to lean on",
                advice: "Name a snapshot of a disk with --base-snapshot.")
        }
        guard !state.closedLeans.contains(template.id) else {
            throw Failure(
                .refused,
                "template \(short) was let go of in \(tenant.store.location), and is not leant on there again",
                advice: "Back up against a newer template, or without --base.")
        }
        let claim = try claimLean(on: template.id, for: tenant)
        do {
            return try LeanTemplate(template, in: self, claim: claim)
        } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
            throw lost(template.id, failure)
        }
    }

    /// Whether a vault of a tenant has let go of a template, on which nothing there leans again.
    package func wasLetGo(_ text: String?, by tenant: Repository) throws(Failure) -> Bool {
        tenant.log.state.closedLeans.contains(try templateSnapshot(text).id)
    }

    /// Whether a snapshot here leans on a template of that repository.
    package func leans(onTemplatesOf base: RepositoryID) -> Bool {
        log.state.recoveryPoints.contains { $0.clear.leans.contains { $0.template == base } }
    }

    private func templateSnapshot(_ text: String?) throws(Failure) -> Snapshot {
        if let text, text.hasPrefix("latest:") {
            do throws(Failure) { return try findSnapshot(text) } catch {
                guard error.code == .damaged else { throw error }
                throw Failure(.damaged, "in the base repository: \(error.what)", advice: repairingBase)
            }
        }
        if let text { return try openTemplate(try snapshotID(text)) }
        let all = log.state.recoveryPoints
        guard let newest = all.last else {
            throw Failure(.notFound, "there is no template in \(store.location)", advice: "Back one up there first.")
        }
        guard all.allSatisfy({ $0.clear.desktop == newest.clear.desktop }) else {
            throw Failure(
                .usage, "\(store.location) holds templates of several names",
                advice: "Name one with --base-snapshot latest:NAME.")
        }
        return try openTemplate(newest.manifest.name.digest)
    }

    /// - Throws: `.notFound` when there is none; `.damaged`, and what to do, when it cannot be opened for damage.
    private func openTemplate(_ id: Digest) throws(Failure) -> Snapshot {
        guard let committed = log.state.snapshots[id] else {
            throw Failure(.notFound, "\(store.location) does not hold template \(id.hex.prefix(12))")
        }
        do throws(Failure) {
            return try snapshot(committed)
        } catch {
            guard error.isOfOneObject, error.code != .refused else { throw error }
            throw lost(id, error)
        }
    }

    /// That a template of this base repository cannot be had whole, as those tell it who lean on it.
    func lost(_ template: Digest, _ failure: Failure) -> Failure {
        Failure(
            failure.code == .notFound ? .damaged : failure.code,
            "template \(template.hex.prefix(12)) in the base repository at \(store.location): \(failure.what)",
            advice: repairingBase, cause: failure.cause)
    }

    /// What helps where this base repository is damaged, in sentences.
    var repairingBase: String {
        "Repair the base from another vault of it with `breakwater repository repair --vault \(store.location) --from OTHER`, "
            + "or name that one with --base."
    }

    /// Holds a template of this base repository for `tenant`, unless it is held for that vault of it already.
    /// - Throws: `.refused` without the site's key, or when the template is not committed here or is forgotten.
    @discardableResult
    package func claimLean(on template: Digest, for tenant: Repository) throws -> ClaimID {
        struct Held: Error {}
        let claim = Self.leanClaim(of: tenant.vault, on: template)
        let scope = RecordBody.ClaimScope.lean(tenant: tenant.id, snapshot: template)
        func isHeld(_ state: LogState) throws(Failure) -> Bool {
            guard let held = state.claims[claim] else { return false }
            guard held.scope == scope, held.owner == nil else {
                throw Failure(
                    .refused, "claim \(claim) in \(store.location) is not the site's, or holds something else",
                    advice: "Release it there first.")
            }
            return true
        }
        if try isHeld(try log.refresh()) { return claim }
        do {
            try appendAsSite { state in
                if try isHeld(state) { throw Held() }
                return .claim(claim, scope)
            }
        } catch is Held {}
        return claim
    }

    /// Readers of the templates that a snapshot here leans on.
    /// - Parameter frames: the cache that all of them share.
    /// - Throws: `.notFound` when one is not at hand; `.damaged`, and what to do, when one cannot be opened.
    func readers(
        ofTemplatesUnder snapshot: Snapshot, sharing frames: FrameCache
    ) throws(Failure) -> [SnapshotReader] {
        var found: [Digest] = []
        for lean in Set(snapshot.clear.leans) {
            let template = "template \(lean.snapshot.hex) of repository \(lean.template)"
            let what = "snapshot \(snapshot.id.hex.prefix(12)) leans on \(template)"
            guard let base else {
                throw Failure(
                    .notFound, "\(what), which is not at hand",
                    advice: "Name a vault of that one with --base, and its passphrase with --base-passphrase-file.")
            }
            guard base.id == lean.template else {
                throw Failure(
                    .notFound, "\(what), and \(base.store.location) holds repository \(base.id)",
                    advice: "Name a vault of the other one with --base.")
            }
            guard base.log.state.snapshots[lean.snapshot] != nil else {
                throw Failure(
                    .notFound, "\(what), which \(base.store.location) does not hold",
                    advice: "Name another vault of that repository with --base.")
            }
            found.append(lean.snapshot)
        }
        guard let base else { return [] }
        let index = try base.loadIndex(for: .reading).index
        return try found.map { template throws(Failure) in
            try SnapshotReader(base, try base.openTemplate(template), index: index, sharing: frames)
        }
    }
}
