internal import ObjectStore
internal import Platform
internal import Sealing

/// Repairs packs: each whole again under the same root and a new name, or its content in others, by `relocate`; the damaged
/// one is condemned by it.
///
/// 1. Claim a session, so that a collector leaves alone what is put. 2. A pack of which another copy here is whole needs
/// nothing put; the others are put together (`PackMend`), put, and read back. What no vault has the blocks of is made anew
/// from its chunks (`PackRemake`). 3. Append `relocate` for some at a time, for those that the log still holds. 4. What
/// cannot be repaired, and what nothing needs, is recorded as damaged. 5. Let go of the claim.
///
/// Killed at any point, it leaves orphans and a claim, as a backup does, and packs that are as they were or whole.
struct PackRepair {
    private let repository: Repository
    private let isDryRun: Bool
    private let isCancelled: @Sendable () -> Bool
    private let objects: ObjectMend
    private(set) var bytesFetched: UInt64 = 0
    /// Made when it is first needed.
    private var remake: PackRemake?

    /// Packs that one record moves.
    private static let mostInRecord = 64

    private struct Pending {
        /// Of one pack, which may lie here damaged under several names.
        var findings: [CheckReport.Finding]
        var move: RecordBody.Relocation
        /// The record at which liveness was counted; nil where the move leaves nothing out.
        var counted: UInt64?
        var how: String
    }

    init(
        _ repository: Repository, _ objects: ObjectMend, isDryRun: Bool, isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.repository = repository
        self.objects = objects
        self.isDryRun = isDryRun
        self.isCancelled = isCancelled
    }

    mutating func run(
        _ findings: [CheckReport.Finding], _ session: RepairSession, _ report: inout RepairReport
    ) throws {
        var unmended: [ObjectName] = []
        var pending: [Pending] = []
        let damaged = Set(findings.compactMap(\.name))
        for (_, copies) in Dictionary(grouping: findings, by: \.name?.digest).sorted(by: Self.isBefore) {
            guard let name = copies.first?.name else { continue }
            if isCancelled() { throw Failure(.cancelled, "the repair was asked to stop") }
            guard try objects.isWanted(name) else {
                let outcome = unneeded(copies)
                for finding in copies { report.add(finding, outcome) }
                unmended += copies.compactMap(\.name)
                continue
            }
            do {
                let mended = try mend(copies, name, damaged, session)
                if mended.move.repairs || isDryRun {
                    pending.append(mended)
                } else {
                    // By itself: other rules go for it than for repairs, and it takes none of them along if it is void.
                    var alone = [mended]
                    try publish(&alone, &report)
                }
            } catch let failure as Failure where failure.isOfOneObject {
                for finding in copies { report.add(finding, .left(failure.what)) }
                if failure.code == .notFound { unmended += copies.compactMap(\.name) }
            }
            if pending.count >= Self.mostInRecord { try publish(&pending, &report) }
        }
        try publish(&pending, &report)
        guard !isDryRun, !unmended.isEmpty, repository.keys.site != nil else { return }
        do {
            report.recorded = try repository.recordDamage(of: unmended)
        } catch let failure as Failure where failure.isOfOneObject {
            report.notes.append("what stays damaged could not be recorded: \(failure.what)")
        }
    }

    private static func isBefore(
        _ left: (key: Digest?, value: [CheckReport.Finding]), _ right: (key: Digest?, value: [CheckReport.Finding])
    ) -> Bool { left.value.first?.object ?? "" < right.value.first?.object ?? "" }

    /// What nothing needs is not repaired. That no backup comes to lean on it is recorded.
    private func unneeded(_ copies: [CheckReport.Finding]) -> RepairReport.Item.Outcome {
        guard copies.compactMap(\.name).contains(where: repository.log.state.mayBeLeantOn) else {
            return .notNeeded("no snapshot needs it")
        }
        guard isDryRun || repository.keys.site != nil else {
            return .left("no snapshot needs it; that no backup comes to lean on it is recorded with the site's key")
        }
        return .notNeeded("no snapshot needs it, and no backup leans on it any more")
    }

    // MARK: - 2. One pack

    /// - Throws: `.notFound` when it cannot be had.
    private mutating func mend(
        _ findings: [CheckReport.Finding], _ name: ObjectName, _ damaged: Set<ObjectName>, _ session: RepairSession
    ) throws -> Pending {
        guard findings.contains(where: \.isOfBytes) else {
            // What is whole and wrong is as wrong everywhere.
            throw Failure(.notFound, "its bytes are those its name promises: what is wrong with it was written so")
        }
        let state = repository.log.state
        guard let length = state.objects[name]?.length else { throw Failure(.notFound, "the log does not hold it") }
        guard isDryRun || repository.keys.site != nil else {
            throw Failure(
                .refused,
                repository.keys.readers.isEmpty
                    ? "moving it to a new name needs the site's key, or the passphrase"
                    : "moving it to a new name needs the site's key, whose sealed copy is lost here: repair it where that key is kept"
            )
        }
        let whole = state.names(of: .pack, name.digest).filter {
            state.objects[$0]?.status == .live && !damaged.contains($0)
        }
        if let first = whole.first {
            let objects = whole.map { ObjectRef(name: $0, length: length) }
            return Pending(
                findings: findings, move: .init(root: name.digest, objects: objects), how: "\(first) is whole")
        }
        var mend = PackMend(repository, name.digest, length: length)
        defer { bytesFetched += mend.bytesFetched }
        let mended: PackMend.Mended
        do throws(Failure) {
            mended = try mend.run()
        } catch {
            guard error.code == .notFound else { throw error }
            return try remake(findings, name.digest, length: length, session, after: error)
        }
        try PackLayout.verify(mended.bytes, root: name.digest, name: name.path)
        let new = ObjectName(kind: .pack, digest: name.digest, session: try session.open())
        if !isDryRun {
            try repository.store.mend(try new.key(), mended.bytes, use: .data, isMissing: true)
        }
        let from = mended.from.isEmpty ? "what lies here" : mended.from.joined(separator: " and ")
        return Pending(
            findings: findings,
            move: .init(root: name.digest, objects: [ObjectRef(name: new, length: length)]),
            how: "\(mended.fetched) of \(mended.blocks.counted("block", "blocks")) from \(from)")
    }

    /// From its chunks, since its blocks are not to be had.
    private mutating func remake(
        _ findings: [CheckReport.Finding], _ root: Digest, length: UInt64, _ session: RepairSession,
        after problem: Failure
    ) throws -> Pending {
        guard let remake = remake ?? PackRemake(repository, isDryRun: isDryRun, isCancelled: isCancelled) else {
            throw Failure(
                .notFound, "\(problem.what); with the passphrase its content is looked for in other packs")
        }
        self.remake = remake
        let before = remake.bytesFetched
        defer { bytesFetched += remake.bytesFetched - before }
        do {
            let remade = try remake.run(root, length: length, session)
            return Pending(findings: findings, move: remade.move, counted: remade.counted, how: remade.how)
        } catch let failure as Failure where failure.code == .notFound {
            throw Failure(.notFound, "\(problem.what), and \(failure.what)")
        }
    }

    // MARK: - 3. Publish

    private func publish(_ pending: inout [Pending], _ report: inout RepairReport) throws {
        let all = pending
        pending = []
        guard !all.isEmpty else { return }
        guard !isDryRun else {
            Self.add(all, &report) { .healed($0.how) }
            return
        }
        var moved: Set<Digest> = []
        do {
            try Collector(repository).appendUnlessNothing { state in
                // What was forgotten and condemned, or repacked, meanwhile stays so.
                let standing = all.filter { one in
                    state.moved[one.move.root] == nil && !state.names(of: .pack, one.move.root).isEmpty
                }
                moved = Set(standing.map(\.move.root))
                let counted = standing.compactMap(\.counted).min() ?? state.head
                return standing.isEmpty ? nil : .relocate(standing.map(\.move), counted: counted)
            }
        } catch let failure as Failure where failure.isOfOneObject {
            Self.add(all, &report) { _ in .left(failure.what) }
            return
        }
        Self.add(all, &report) { one in
            moved.contains(one.move.root) ? .healed(one.how) : .notNeeded("it was condemned meanwhile")
        }
    }

    private static func add(
        _ all: [Pending], _ report: inout RepairReport, _ outcome: (Pending) -> RepairReport.Item.Outcome
    ) {
        for one in all { for finding in one.findings { report.add(finding, outcome(one)) } }
    }
}
