package import ObjectStore
package import Platform
package import Sealing

/// Repairs what a check finds damaged or missing in one vault, from what is whole in it and from other vaults, which
/// are believed nothing that a hash does not say.
///
/// 1. The log (`LogMend`): records by the chain of their hashes, its lost end from a mirror. The repository is then
///    opened anew: what could not be judged before is judged now.
/// 2. A check of every byte.
/// 3. Small objects under their own names (`ObjectMend`), and the repository opened anew: a set that was lost may have kept
///    records from being judged.
/// 4. Packs, under the same root and a new name (`PackRepair`); what cannot be repaired is recorded as damaged.
/// 5. Segments from the packs' own tables (`SegmentRepair`).
///
/// Whatever was forgotten, condemned, withdrawn or destroyed stays so. It may be killed at any point and run again, and
/// runs beside backups, restores, copies and collectors: it goes by the log like each of them.
package struct Repairer {
    package struct Options: Sendable {
        /// Find out and say what would be done; change nothing.
        package var isDryRun = false
        package var workers = 2
        package init() {}
    }

    private let store: any ObjectStore
    private let access: Repository.Access
    private let others: [Repository]
    private let site: SigningKey?
    private let heads: any HeadMemory
    private let surroundings: Surroundings
    private let options: Options
    private var report = RepairReport()

    /// - Parameters:
    ///   - access: the keys to repair with. Without any, small objects and records are put back; packs need the site's
    ///     key, segments that no vault has the passphrase.
    ///   - others: vaults of the same repository to take from, open; keyless is enough.
    ///   - site: the vault's site key, when the caller keeps it in its own state.
    package init(
        _ store: any ObjectStore, _ access: Repository.Access, from others: [Repository] = [], site: SigningKey? = nil,
        heads: any HeadMemory, surroundings: Surroundings, options: Options = .init()
    ) {
        self.store = store
        self.access = access
        self.others = others
        self.site = site
        self.heads = heads
        self.surroundings = surroundings
        self.options = options
    }

    /// Repairs.
    /// - Throws: `.refused` when the repository was destroyed, when nothing of the log can be read by this user, or a vault to
    ///   take from holds another one or is this very vault; `.damaged` when nothing opens it; `.cancelled`; what the stores
    ///   throw. Run again, it goes on.
    package mutating func run(
        progress: @escaping @Sendable (Checker.Progress) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> RepairReport {
        report.isDryRun = options.isDryRun
        try refuseWhereNothingCanBeRead()
        // 1.
        let first = try open(access, NoHeadMemory())
        try refuse(first)
        try LogMend(repository: first, isDryRun: options.isDryRun).run(&report)
        let keys = Repository.Access.granted(first.keys)
        // In a dry run the log is as it was, and is looked at as it is.
        var repository = try open(keys, options.isDryRun ? NoHeadMemory() : heads, expecting: first.id)
        // 2.
        var check = Checker.Options()
        check.readData = true
        check.workers = options.workers
        check.followsReferences = false
        check.seeksRecovery = false
        let known = Set(report.items.map(\.object))
        let found = try Checker.check(repository, check) { step in progress(step) }
        let findings = (found.findings + found.unneeded).filter { !known.contains($0.object) }
        // Which of another vault's slots were withdrawn here nobody can tell: none is put back by itself.
        if let loss = try repository.slotlessness() { report.notes.append(loss) }
        if isCancelled() { throw Failure(.cancelled, "the repair was asked to stop") }
        // 3.
        let small = findings.filter { $0.name?.kind != .pack && $0.name?.kind != .segment }
        try mendSmall(small, repository, isCancelled)
        if !small.isEmpty {
            repository = try open(keys, options.isDryRun ? NoHeadMemory() : heads, expecting: first.id)
        }
        // 4. and 5.
        try mendPacks(findings, repository, isCancelled)
        return report
    }

    private func open(
        _ access: Repository.Access, _ heads: any HeadMemory, expecting expected: RepositoryID? = nil
    ) throws(Failure) -> Repository {
        try Repository.open(
            store, access, expecting: expected, site: site, heads: heads,
            surroundings: surroundings, also: others)
    }

    /// One object that this user may not read is put back like a damaged one. Where that goes for the whole log it is the
    /// wrong user, or a mode set by mistake: then thousands of whole objects would be replaced for nothing.
    private func refuseWhereNothingCanBeRead() throws(Failure) {
        let first = try store.list(prefix: "log/", after: nil, limit: 8)
        var problem: Failure?
        for object in first {
            do throws(Failure) {
                // What is longer than a record is junk, and says nothing of who may read.
                _ = try store.get(object.key, range: 0..<min(object.length, Record.largestObject))
                return
            } catch {
                guard error.isOfOneObject else { throw error }
                problem = problem ?? error
            }
        }
        guard let problem, first.count > 1 else { return }
        throw Failure(
            .refused,
            "\(store.location) cannot be repaired: none of the log's first \(first.count) records can be read",
            advice: "Nothing was changed. Run it as the user who owns the vault, or look at owners and modes there.",
            cause: problem)
    }

    private func refuse(_ repository: Repository) throws(Failure) {
        for other in others {
            guard other.id == repository.id else {
                throw Failure(
                    .refused, "\(other.store.location) holds another repository", advice: "Nothing was changed.")
            }
            guard other.store.location != store.location else {
                throw Failure(
                    .refused, "\(store.location) is the very vault that is to be repaired",
                    advice: "Name another vault of the repository with --from.")
            }
        }
        if ([repository] + others).contains(where: \.log.state.isDestroyed) {
            throw Failure(
                .refused, "repository \(repository.id) was destroyed by its owner",
                advice: "Nothing of it is repaired. `breakwater repository collect` frees what remains.")
        }
    }

    // MARK: - 3. Small objects

    private mutating func mendSmall(
        _ findings: [CheckReport.Finding], _ repository: Repository, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        let mend = ObjectMend(repository, isDryRun: options.isDryRun, isCancelled: isCancelled)
        defer { report.bytesFetched += mend.bytesFetched }
        let siteKeys = SiteKeyMend(repository, mend, isDryRun: options.isDryRun)
        var slots: [Digest: RepairReport.Item.Outcome] = [:]
        var siteKey: RepairReport.Item.Outcome?
        let brokenSiteKeys = findings.filter { $0.name?.kind == .siteKey }
        // Sets and pages first: by them it is judged what is needed.
        for finding in findings.sorted(by: { Self.rank($0) < Self.rank($1) }) {
            do throws(Failure) {
                let outcome: RepairReport.Item.Outcome
                if let digest = Self.slot(finding) {
                    if slots[digest] == nil { slots[digest] = try mend.mendSlot(digest) }
                    outcome = slots[digest] ?? .notNeeded("it was withdrawn")
                } else if finding.object.hasPrefix("sitekeys/") {
                    if siteKey == nil { siteKey = try siteKeys.mend(brokenSiteKeys) }
                    outcome = siteKey ?? .notNeeded("it is there")
                } else if finding.object.hasPrefix("origins/") {
                    outcome = try mend.mendMirrored(finding)
                } else if let name = finding.name, finding.isOfBytes {
                    outcome = try mend.mend(finding, name)
                } else {
                    outcome = Self.hopeless(finding, repository)
                }
                report.add(finding, outcome)
            } catch {
                guard error.isOfOneObject else { throw error }
                report.add(finding, .left(error.what))
            }
        }
        if siteKey == nil, !options.isDryRun { try completeSiteKeys(repository) }
    }

    /// A vault that was made before site keys were stored twice is as whole as ever.
    private mutating func completeSiteKeys(_ repository: Repository) throws(Failure) {
        do throws(Failure) {
            guard try repository.completeSiteKeys() else { return }
            report.notes.append("the sealed site key lay here once: a second copy was put beside it")
        } catch {
            guard error.isOfOneObject else { throw error }
            report.notes.append("the sealed site key lies here once: \(error.what)")
        }
    }

    private static func rank(_ finding: CheckReport.Finding) -> Int {
        switch finding.name?.kind {
        case .set, .page: 0
        default: 1
        }
    }

    /// Of a slot, or of one whose second copy is gone: `slots/<digest>`.
    private static func slot(_ finding: CheckReport.Finding) -> Digest? {
        if let name = finding.name, name.kind == .slot { return finding.isOfBytes ? name.digest : nil }
        let folder = ObjectKind.slot.folder + "/"
        guard finding.name == nil, finding.object.hasPrefix(folder) else { return nil }
        return Digest(hex: String(finding.object.dropFirst(folder.count)))
    }

    private static func hopeless(
        _ finding: CheckReport.Finding, _ repository: Repository
    ) -> RepairReport.Item.Outcome {
        switch finding.damage {
        case .malformedName: .left("it is none of the repository's objects: look at it, and remove it by hand")
        case .missing, .unreadable, .half, .length:
            .left(repository.log.interruption.map(repository.log.whatToDo) ?? "no vault at hand has it")
        default: .left("its bytes are those its name promises: what is wrong with it was written so")
        }
    }

    // MARK: - 4. and 5. Packs and segments

    private mutating func mendPacks(
        _ findings: [CheckReport.Finding], _ repository: Repository, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws {
        let objects = ObjectMend(repository, isDryRun: options.isDryRun, isCancelled: isCancelled)
        let session = RepairSession(repository, isDryRun: options.isDryRun)
        var packs = PackRepair(repository, objects, isDryRun: options.isDryRun, isCancelled: isCancelled)
        do {
            defer { report.bytesFetched += packs.bytesFetched + objects.bytesFetched }
            try packs.run(findings.filter { $0.name?.kind == .pack }, session, &report)
            var lost: [CheckReport.Finding] = []
            for finding in findings {
                guard let name = finding.name, name.kind == .segment else { continue }
                let outcome = finding.isOfBytes ? try mend(finding, name, objects) : .left("")
                if case .left = outcome { lost.append(finding) } else { report.add(finding, outcome) }
            }
            try SegmentRepair(repository, isDryRun: options.isDryRun).run(lost, session, &report)
        } catch {
            // The first error is the one to tell; a claim that stays is let go of like a dead backup's.
            try? session.close()
            throw error
        }
        try session.close()
    }

    private func mend(
        _ finding: CheckReport.Finding, _ name: ObjectName, _ objects: ObjectMend
    ) throws(Failure) -> RepairReport.Item.Outcome {
        do throws(Failure) {
            return try objects.mend(finding, name)
        } catch {
            guard error.isOfOneObject else { throw error }
            return .left(error.what)
        }
    }
}
