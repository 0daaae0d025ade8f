package import ObjectStore
package import Platform
package import Repository
package import Sealing

/// Copies the snapshots of a repository from one vault to another, by pull, and needs no key to do it.
///
/// 1. Open the origin's log without keys, and verify it; refuse one that was destroyed, after passing that on. One that is
///    interrupted is copied as far as it goes, and that is said.
/// 2. Open the destination with its own site key, or make it: genesis with the origin's charter, slots byte for byte.
/// 3. Mirror the origin's log beside the data (`OriginMirror`) and append the root's statements of it here too.
/// 4. For each snapshot in the order of the origin's log that is neither here nor was forgotten here (`SnapshotCopy`):
///    a. hold the templates on which it leans in the base at the destination; verify its manifest; read its sets; see
///       which packs the destination's log does not hold alive,
///    b. claim a session; or take up the one that an interrupted copy left claimed, with what it had put,
///    c. fetch the missing packs whole, a few at a time; verify each by its hash tree; put it; read it back,
///    d. put envelopes, sets, segments and the manifest,
///    e. append the copied commit, signed by the site: only now is anything visible.
///
/// **One session, one commit.** A session's names would otherwise live on after its objects were collected, and a late
/// delete would meet a new object under an old name. The session of an interrupted copy is found by its claim in the
/// destination's log, so no other state is needed to resume; two copiers that take up the same session put the same
/// bytes under the same names, and one of them commits.
///
/// **What races:** an object that is not found at the origin is looked up again after reading its log forward. A commit
/// that the destination's log refuses, since what it leant on was condemned meanwhile, is prepared again on the new
/// state, in a new session when the old one was closed.
package struct Replicator: Sendable {
    package struct Options: Sendable {
        /// The repository the caller means; nil takes what the origin holds.
        package var expected: RepositoryID?
        /// Name of the vault to make, where a coordinator has chosen one.
        package var newVault: VaultID?
        /// Packs fetched and put at the same time; each is held in memory whole.
        package var workers = 3
        /// The base repository at the destination, with its site's key, for snapshots that lean on its templates.
        package var base: Repository?
        package init() {}
    }

    package let origin: any ObjectStore
    package let destination: any ObjectStore
    private let siteKeys: any SiteKeys
    private let heads: any HeadMemory
    private let surroundings: Surroundings
    private let options: Options

    package init(
        from origin: any ObjectStore, to destination: any ObjectStore, siteKeys: any SiteKeys, heads: any HeadMemory,
        surroundings: Surroundings, options: Options = .init()
    ) {
        self.origin = origin
        self.destination = destination
        self.siteKeys = siteKeys
        self.heads = heads
        self.surroundings = surroundings
        self.options = options
    }

    /// Copies everything that is missing.
    /// - Throws: `.refused` when the vaults do not belong together, the repository was destroyed or the destination's
    ///   site key is not at hand; `.cancelled`; what the stores throw. Run again, it goes on where it was.
    package func run(
        progress: @escaping @Sendable (CopyProgress) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> CopyReport {
        // Records that the origin has lost since they were mirrored are taken from the mirror.
        let source = try Repository.open(
            origin, .keyless, expecting: options.expected, heads: heads, surroundings: surroundings,
            mirrors: [destination])
        let (target, isNew) = try openDestination(for: source)
        guard target.vault != source.vault else {
            throw Failure(
                .refused, "\(destination.location) is the very vault that is to be copied",
                advice: "Name another directory to copy to.")
        }
        var report = CopyReport(repository: source.id, origin: source.vault, destination: target.vault)
        report.isNew = isNew
        report.interruption = source.log.shortfall
        report.recordsLost = source.log.borrowed.keys.sorted()
        let mirror = OriginMirror(source, target)
        report.records = try mirror.advance()
        try mirror.passOnKeys()
        if !isNew, !source.log.state.isDestroyed, !target.log.state.isDestroyed { try carrySlots(source, target) }
        // What the root said while slots were on their way is passed on too: a destruction did not know of them.
        let mirrored = source.log.state.head
        if try source.log.refresh().head > mirrored {
            report.records += try mirror.advance()
            try mirror.passOnKeys()
        }
        guard !source.log.state.isDestroyed, !target.log.state.isDestroyed else {
            throw Failure(
                .refused, "repository \(source.id) was destroyed by its owner",
                advice: "Nothing of it is copied. The destruction stands in \(destination.location) too.")
        }
        let pending = pendingSnapshots(source, target, &report)
        if !pending.isEmpty { try requireJudgedLog(target) }
        let meter = CopyMeter(pending, source, target, report: progress)
        var copy = SnapshotCopy(
            source, target, base: options.base, workers: options.workers, surroundings: surroundings, meter: meter,
            isCancelled: isCancelled)
        for digest in pending {
            switch try copy.run(digest, &report) {
            case .copied: report.copied.append(digest)
            case .alreadyThere: report.alreadyThere += 1
            case .forgotten: report.forgotten += 1
            case .goneAtOrigin: break
            case .damaged(let problem): report.damaged.append(.init(snapshot: digest, problem: problem))
            }
            meter.finishSnapshot()
        }
        try copy.finish()
        try target.writeCheckpointIfDue()
        return report
    }

    /// Nothing can be committed to a log that cannot be judged: said before anything is fetched.
    private func requireJudgedLog(_ target: Repository) throws(Failure) {
        guard let undecided = target.log.state.undecided.first else { return }
        let (there, here) = (destination.location, origin.location)
        throw Failure(
            .damaged,
            "nothing is copied: record \(undecided.number) of the log in \(there) cannot be judged, since "
                + undecided.cause.why,
            advice: "What is there can be restored. `breakwater repository repair --vault \(there) --from \(here)` "
                + "puts back what is lost, or makes it anew with the passphrase; then copy again. Where neither can, "
                + "`breakwater repository settle --vault \(there) --passphrase-file F` decides without it.")
    }

    /// Manifests of what is to be copied, in the order of the origin's log.
    private func pendingSnapshots(_ source: Repository, _ target: Repository, _ report: inout CopyReport) -> [Digest] {
        let there = target.log.state
        var pending: [Digest] = []
        for digest in source.log.state.recoveryPoints.map(\.manifest.name.digest) {
            if there.forgotten.contains(digest) {
                report.forgotten += 1
            } else if there.snapshots[digest] != nil {
                report.alreadyThere += 1
            } else {
                pending.append(digest)
            }
        }
        return pending
    }

    // MARK: - The destination

    private func openDestination(for source: Repository) throws -> (Repository, isNew: Bool) {
        if try destination.length(of: try Record.key(0)) != nil { return (try openExisting(source), false) }
        guard !source.log.state.isDestroyed else {
            throw Failure(
                .refused, "repository \(source.id) was destroyed by its owner", advice: "Nothing of it is copied.")
        }
        let genesis = try Self.charter(of: source)
        let slots = try slots(of: source)
        guard !slots.isEmpty else {
            throw Failure(
                .damaged, "no key slot in \(origin.location) can be read",
                advice: "A copy without one could never be opened. Repair the origin first.")
        }
        let known = try siteKeys.find(for: source.id, at: destination.location)
        let site = try known ?? siteKeys.make(for: source.id, at: destination.location)
        do throws(Failure) {
            _ = try Repository.create(
                in: destination, charter: genesis, slots: slots.map(\.bytes), site: site, vault: options.newVault,
                reader: source.log.state.readers[source.log.state.newestReader], surroundings: surroundings)
        } catch {
            // Another copier was quicker, or the answer was lost: what stands there decides.
            guard error.code == .exists || error.code == .unknownOutcome else { throw error }
        }
        return (try openExisting(source), true)
    }

    private func openExisting(_ source: Repository) throws(Failure) -> Repository {
        let kept = try siteKeys.find(for: source.id, at: destination.location)
        var opened = try openDestination(as: kept, of: source.id)
        if opened.keys.site == nil, let owned = try siteKeys.takeUp(destination, of: source.id) {
            opened = try openDestination(as: owned, of: source.id)
        }
        guard opened.keys.site != nil else {
            throw Failure(
                .refused, "the site key of \(destination.location) is not at hand, so nothing can be committed there",
                advice: "Copy to a new directory, or as the user whose copy made this vault. "
                    + "The repository's owner can take the vault up with the passphrase.")
        }
        return opened
    }

    private func openDestination(as site: SigningKey?, of repository: RepositoryID) throws(Failure) -> Repository {
        try Repository.open(
            destination, .keyless, expecting: repository, site: site, heads: heads, surroundings: surroundings)
    }

    /// The root's first statement, as the origin's genesis carries it.
    private static func charter(of source: Repository) throws(Failure) -> Statement {
        let object = try source.store.recordObject(0)
        guard let bytes = Record.Halves(object).either,
            case .genesis(let charter, _) = try Record(
                bytes, repository: source.id, vault: source.vault, number: 0, site: nil, root: nil
            ).body
        else {
            throw Failure(
                .damaged, "the genesis in \(source.store.location) cannot be read any more",
                advice: "Nothing was copied. Take the record from a copy of that vault.")
        }
        return charter
    }

    /// One good copy of each slot of the origin.
    private func slots(of source: Repository) throws(Failure) -> [(digest: Digest, bytes: [UInt8])] {
        var found: [(digest: Digest, bytes: [UInt8])] = []
        for name in try Repository.slotNames(origin) where !found.contains(where: { $0.digest == name.digest }) {
            do throws(Failure) {
                let bytes = try source.objects.read(name)
                guard try Slot(bytes).repository == source.id else { continue }
                found.append((name.digest, bytes))
            } catch  where error.code == .damaged || error.code == .notFound { continue }
        }
        return found
    }

    /// Slots that were made at the origin since: each under two names, as in a new repository.
    private func carrySlots(_ source: Repository, _ target: Repository) throws(Failure) {
        let there = Set(try Repository.slotNames(destination).map(\.digest))
        for slot in try slots(of: source) where !there.contains(slot.digest) {
            try target.putSlot(slot.bytes)
        }
    }
}
