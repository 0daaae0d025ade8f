internal import ObjectStore
internal import Platform
internal import Sealing

/// The check of a repository in one vault. Nothing is changed by it, and nothing that is missing or damaged stops the
/// check of the rest.
///
/// 1. Log: both halves of every record, the chain, records beyond a gap.
/// 2. Listing: what the log does not know: orphans, strangers, slots, site keys, mirrors of other vaults' logs.
/// 3. Objects: every object the log holds against its name; with keys, whether it opens. Packs are read once each.
/// 4. Segments against the packs' tables.
/// 5. Snapshots (with keys): every reference of every tree and disk resolves within the snapshot's sets, and what of
///    them lies in damaged packs is lost or not, byte by byte.
/// 6. For each damaged object, whether anything needs it, the snapshots it touches and where it can be had.
///
/// By byte budget (`Checker+Part`), without keys: 2, then some of the records and objects, then 6.
package final class Checker: Sendable {
    package struct Options: Sendable {
        /// Read every byte of every pack; without it, each pack's length, first and last block, and hash tree.
        package var readData = false
        package var workers = 2
        /// Losses named of each snapshot; the others are counted. Nil for all.
        package var lossesPerSnapshot: Int? = 1000
        /// Follow the references of every snapshot, where there are keys.
        package var followsReferences = true
        /// See of each damaged object whether it can be had elsewhere.
        package var seeksRecovery = true
        package init() {}
    }

    package struct Progress: Sendable, Equatable {
        package enum Phase: String, Sendable { case log, listing, objects, snapshots }
        package var phase: Phase
        package var done: UInt64
        /// 0 where it is not known.
        package var of: UInt64
        /// Bytes read so far, over all phases.
        package var bytes: UInt64
        /// Bytes that there will be; 0 where it is not known.
        package var bytesInAll: UInt64 = 0
    }

    let repository: Repository
    let options: Options
    let ledger: CheckLedger
    let state: LogState
    let tables = Monitor(CheckTables())
    let sessionKeys = Monitor([SessionID: SessionKey?]())
    let envelopes: [SessionID: Digest]
    /// Snapshots that an interruption of the log hides, as far as they can be told.
    let hidden: [Digest]

    init(
        _ repository: Repository, _ options: Options, _ state: LogState, _ heard: @escaping @Sendable (Progress) -> Void
    ) throws(Failure) {
        self.repository = repository
        self.options = options
        self.state = state
        ledger = CheckLedger(heard)
        envelopes = state.envelopes
        hidden = try repository.hiddenSnapshots()
    }

    /// - Parameter progress: called from several threads, after every object.
    /// - Throws: `.unreachable`, `.unsuited` or `.cancelled` from the store, and nothing on account of damage.
    package static func check(
        _ repository: Repository, _ options: Options = .init(),
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) throws -> CheckReport {
        try repository.log.readWhole()
        let checker = try Checker(repository, options, try repository.log.refresh(), progress)
        try checker.checkLog()
        let listed = try checker.checkListing()
        try checker.checkObjects(listed)
        try checker.checkCopies(of: listed)
        checker.compareSegments()
        if checker.isKeyed, options.followsReferences {
            try checker.checkSnapshots()
        } else {
            checker.ledger.change { report in report.snapshots = UInt64(checker.liveSnapshots.count) }
        }
        try checker.complete()
        return checker.ledger.report
    }

    /// Looks at the log alone.
    static func checkLog(_ repository: Repository) throws -> CheckReport {
        try repository.log.readWhole()
        let checker = try Checker(repository, .init(), try repository.log.refresh()) { _ in }
        try checker.checkLog()
        return checker.ledger.report
    }

    /// Whether content can be opened.
    var isKeyed: Bool { repository.keys.secret != nil && !repository.keys.readers.isEmpty }

    var liveSnapshots: [LogState.Committed] {
        state.recoveryPoints
    }

    // MARK: - 6. Touched snapshots, and where to have it from

    func complete() throws(Failure) {
        try setAsideUnneeded()
        let findings = ledger.damaged.filter { $0.name != nil }
        let touched = Needs.snapshots(needing: Set(findings.compactMap(\.name?.digest)), in: state) { set in
            guard let bytes = try? repository.object(.set, set) else { return nil }
            return (try? PackSet(bytes, expecting: set))?.roots
        }
        for var finding in findings {
            guard let name = finding.name else { continue }
            finding.snapshots = Set(finding.snapshots + (touched[name.digest] ?? [])).sorted()
            if options.seeksRecovery { finding.recovery = try recovery(name, finding) }
            ledger.complete(finding)
        }
    }

    /// Not while the log is interrupted: what comes behind may need it.
    private func setAsideUnneeded() throws(Failure) {
        guard !repository.log.isInterrupted else { return }
        var needs: Needs??
        for finding in ledger.damaged {
            guard let name = finding.name, state.objects[name] != nil else { continue }
            let isWanted = try state.isWanted(name) { () throws(Failure) -> Needs? in
                if let needs { return needs }
                let found = try Needs.ifReadable(state, repository.log.pages)
                needs = .some(found)
                return found
            }
            guard !isWanted else { continue }
            guard state.mayBeLeantOn(name) else {
                ledger.setAside(finding)
                continue
            }
            var finding = finding
            finding.meaning += "; no snapshot needs it, but a backup could lean on it until `repair` has recorded it"
            ledger.complete(finding)
        }
    }

    private func recovery(_ name: ObjectName, _ finding: CheckReport.Finding) throws(Failure)
        -> CheckReport.Finding.Recovery
    {
        switch name.kind {
        case .segment: return .rebuiltFromPacks
        case .checkpoint: return .notNeeded
        default: break
        }
        guard finding.isOfBytes else { return .none }
        // Any other slot opens the repository.
        let here =
            name.kind == .slot
            ? try Repository.slotNames(repository.store) : try Self.copies(of: name, in: repository)
        for other in here where other != name && isWhole(other, repository.store) { return .otherCopy(other.path) }
        for vault in repository.alternates {
            let names = try Self.copies(of: name, in: vault)
            if names.contains(where: { isWhole($0, vault.store) }) { return .otherVault(vault.store.location) }
        }
        if name.kind == .set {
            let rebuild = SetRebuild(repository: repository, isCancelled: { false })
            return rebuild.fromLog(name.digest) == nil ? .perhapsRemade : .remadeFromLog
        }
        return repository.alternates.isEmpty ? .perhapsAnotherVault : .none
    }

    /// Names under which a vault may hold the same bytes.
    static func copies(of name: ObjectName, in vault: Repository) throws(Failure) -> [ObjectName] {
        [.slot, .siteKey].contains(name.kind)
            ? try Repository.listed(name.kind, in: vault.store).filter { $0.digest == name.digest }
            : vault.log.state.names(of: name.kind, name.digest)
    }

    private func isWhole(_ name: ObjectName, _ store: any ObjectStore) -> Bool {
        guard name.kind == .pack else { return (try? ObjectReader(store).read(name)) != nil }
        do {
            // Without a key there is no table to give back: that nothing is thrown is the answer.
            _ = try PackCheck(store, name, length: nil, readData: true).run { _ in }
            return true
        } catch {
            return false
        }
    }
}
