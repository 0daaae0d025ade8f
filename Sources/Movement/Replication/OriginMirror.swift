internal import ObjectStore
internal import Platform
internal import Repository
internal import Sealing

/// The origin's verified log beside the data, `origins/<vault>/log/<n>`, so that what the origin said of keys,
/// revocations and destruction can be shown at the destination when the origin is gone.
///
/// Records are mirrored in order, each put once, so the mirror is itself the note of how far it got. A record that is
/// another than the one mirrored before shows an origin that was rolled back. Once its root has accepted that, the mirror
/// is made what the origin has now.
struct OriginMirror {
    let source: Repository
    let target: Repository
    private let folder: String

    init(_ source: Repository, _ target: Repository) {
        self.source = source
        self.target = target
        folder = "origins/\(source.vault.hex)/log"
    }

    /// Mirrors the records that lack, and says how many. Of an interrupted log, those before the interruption: what lies
    /// there now may yet be put right.
    /// - Throws: `.refused` when the origin's log is not the one mirrored before, and no statement accepts that.
    func advance() throws(Failure) -> UInt64 {
        let state = source.log.state
        let interruption = source.log.interruption
        let end = interruption.map { $0.number - 1 } ?? state.head
        // A hint where to go on; what it leaves out is found there and compared.
        let last = try target.store.records(in: folder).last
        var rewritten: UInt64 = 0
        if let last {
            // A record that is lost there since it was mirrored proves nothing.
            if last > end, interruption != nil { return 0 }
            let goesOn = last <= end ? try isSame(last) : false
            if !goesOn {
                guard isAccepted(state, mirroredTo: last) else { throw rolledBack(last) }
                // No record is ever deleted, so that none which comes late finds its number free: until the branch that was
                // accepted is as long as the one mirrored, nothing is changed.
                guard last <= end, let store = target.store as? any MendingStore else { return 0 }
                rewritten = try rewrite(to: last, in: store)
            }
        }
        let first = last.map { $0 + 1 } ?? 0
        guard first <= end else { return rewritten }
        let borrowed = source.log.borrowed
        for number in first...end where borrowed[number] == nil {
            let object = try original(number)
            let key = try Record.key(number, folder: folder)
            do throws(Failure) {
                try target.store.putSettled(key, object, use: .log)
            } catch  where error.code == .damaged {
                guard try isSame(number) else { throw rolledBack(number) }
            }
        }
        return rewritten + (end - first + 1)
    }

    /// Writes the branch that the root accepted over the one that it gave up, which otherwise would be lent for records that
    /// are lost, and says how many records were others.
    private func rewrite(to last: UInt64, in store: any MendingStore) throws(Failure) -> UInt64 {
        var records: UInt64 = 0
        // A copy that is killed in between finds the mirror's last record another than the origin's, and begins again.
        for number in 0...last where try !isSame(number) {
            try store.replace(try Record.key(number, folder: folder), try original(number), use: .log)
            records += 1
        }
        return records
    }

    /// Whether the root accepted a head of the origin's log where it is another than the branch mirrored here. A branch that
    /// was accepted already when it was mirrored holds the acceptance, and is not excused by it again.
    private func isAccepted(_ state: LogState, mirroredTo last: UInt64) -> Bool {
        // The record after an accepted head is the one that accepts it.
        state.acceptedHeads.keys.contains { $0 + 1 > last || (try? isSame($0 + 1)) == false }
    }

    /// Appends at the destination what the origin's root statements changed and is not in effect here.
    func passOnStatements() throws {
        let there = source.log.state
        guard !Self.isCovered(there, by: target.log.state) else { return }
        guard there.head > 0 else { return }
        for number in 1...there.head {
            // The mirror may hold a branch that was given up.
            guard let record = (try? decode(try original(number), number)) ?? (try? record(number)),
                case .statement(let statement) = record.body,
                Self.changes(statement, target.log.state)
            else { continue }
            do {
                try target.appendAsSite { _ in .statement(statement) }
            } catch let failure as Failure where failure.code == .refused {
                // Not yet: a generation, for example, is retired only when no snapshot here is sealed to it.
                continue
            }
        }
    }

    private static func isCovered(_ origin: LogState, by here: LogState) -> Bool {
        origin.revoked.isSubset(of: here.revoked) && origin.newestReader <= here.newestReader
            && origin.oldestReader <= here.oldestReader && (!origin.isDestroyed || here.isDestroyed)
    }

    private static func changes(_ statement: Statement, _ state: LogState) -> Bool {
        switch statement.content {
        // A head is accepted in its own log, right after itself.
        case .charter, .certificate, .acceptHead, .resealed: false
        case .newGeneration(let generation, _): state.readers[generation] == nil
        case .retireGenerations(let below): state.oldestReader < below
        case .revoke(let authors): !state.revoked.isSuperset(of: authors)
        case .destroyed: !state.isDestroyed
        }
    }

    // MARK: - Single records

    /// A record of the origin, from the mirror or, where that does not verify or is not the one meant, from the origin.
    func record(_ number: UInt64, isMeant: (Record) -> Bool = { _ in true }) throws(Failure) -> Record {
        if let object = try? target.store.recordObject(number, folder: folder),
            let record = try? decode(object, number), isMeant(record)
        {
            return record
        }
        return try decode(try original(number), number)
    }

    private func decode(_ object: [UInt8], _ number: UInt64) throws(Failure) -> Record {
        let state = source.log.state
        guard let bytes = Record.Halves(object).either else {
            throw Failure(
                .damaged, "record \(number) of \(source.store.location) is damaged in both halves",
                advice: "Take the record from a copy of that vault, then copy again.")
        }
        return try Record(
            bytes, repository: state.repository, vault: state.vault, number: number, site: state.site,
            root: state.charter.root)
    }

    /// As stored; with both halves whole when one of them is.
    private func original(_ number: UInt64) throws(Failure) -> [UInt8] {
        let object = try source.store.recordObject(number)
        return Record.Halves(object).either.map { Record.object($0) } ?? object
    }

    private func isSame(_ number: UInt64) throws(Failure) -> Bool {
        // What is lost at the origin, and was taken from a mirror, is as mirrored.
        guard source.log.borrowed[number] == nil else { return true }
        let mirrored = try target.store.recordObject(number, folder: folder)
        let object = try original(number)
        guard let canonical = Record.Halves(object).either else { return mirrored == object }
        let halves = Record.Halves(mirrored)
        // A mirrored record with no whole half proves nothing against the origin.
        return halves.either.map { $0 == canonical } ?? true
    }

    private func rolledBack(_ number: UInt64) -> Failure {
        Failure(
            .refused,
            "the log in \(source.store.location) was rolled back: record \(number) was copied here before and is gone or another there",
            advice:
                "Nothing was copied. What was copied before is safe in \(target.store.location). `breakwater repository "
                + "check --vault \(source.store.location) --also \(target.store.location)` names what differs.")
    }
}
