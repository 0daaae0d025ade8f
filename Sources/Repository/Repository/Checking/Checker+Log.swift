internal import ObjectStore
internal import Platform
internal import Sealing

extension Checker {
    /// Reads every record again, both halves, and compares it with what the log made of it.
    func checkLog() throws {
        ledger.begin(.log, of: state.head + 1)
        for number in 0...state.head {
            try checkRecord(number)
            ledger.passed()
        }
        noteUndecided()
        try checkForks()
    }

    /// Other branches of the log that vaults at hand have mirrored. One that the owner has settled is no damage.
    func checkForks() throws(Failure) {
        for fork in try repository.forks() {
            ledger.change { $0.forks.append(fork) }
            guard !fork.isAccepted else {
                ledger.change { $0.notes.append("\(fork.meaning); the owner accepted that") }
                continue
            }
            let isThere = fork.snapshots.allSatisfy(\.isThere) && fork.statements == 0
            ledger.add(
                try Record.key(fork.first).text, nil, .forked, fork.meaning, snapshots: fork.snapshots.map(\.id),
                recovery: isThere ? .otherVault(fork.location) : .none)
        }
    }

    func checkRecord(_ number: UInt64) throws {
        let key = try Record.key(number)
        let lender = repository.log.borrowed[number]
        let object: [UInt8]
        do throws(Failure) {
            object = try repository.store.recordObject(number)
        } catch {
            let trouble = try CheckTrouble.of(error)
            return note(number, trouble.damage, trouble.meaning, lender)
        }
        ledger.read(object.count)
        let halves = Record.Halves(object)
        let expected = repository.log.hash(of: number)
        switch halves.both.filter({ isTrue($0, number, expected) }).count {
        case 2 where halves.isHurt:
            ledger.add(
                key.text, nil, .length, "log record \(number) holds other bytes besides its halves",
                recovery: .secondHalf)
        case 2: break
        case 1:
            ledger.add(key.text, nil, .half, "one half of log record \(number) is damaged", recovery: .secondHalf)
        default:
            if state.blockedBy == nil, lender == nil, isSettled(object, number, expected) {
                // A void that names these bytes stands.
                ledger.change { $0.notes.append("record \(number) of the log is no record; a void of it stands") }
            } else {
                note(number, .unreadable, "log record \(number) verifies in neither half", lender)
            }
        }
    }

    /// Whether the record after `number` names these bytes, which are no record.
    private func isSettled(_ object: [UInt8], _ number: UInt64, _ expected: Digest?) -> Bool {
        let hash = Record.hash(ofUnverified: object)
        if let expected { return hash == expected }
        let next = (try? Log.halves(repository.store, number + 1)) ?? nil
        return next?.different.contains {
            Log.record($0, number + 1, state)?.previous == hash
        } ?? false
    }

    func noteUndecided() {
        for undecided in state.undecided {
            ledger.change {
                $0.notes.append(
                    "record \(undecided.number) of the log was taken to be in order: \(undecided.cause.why)")
            }
        }
    }

    /// Whether bytes are the record the log knows, or, where it does not know, one that may be.
    private func isTrue(_ bytes: [UInt8], _ number: UInt64, _ expected: Digest?) -> Bool {
        if let expected { return Record.hash(ofRecord: bytes) == expected }
        return
            (try? Record(
                bytes, repository: state.repository, vault: state.vault, number: number, site: state.site,
                root: state.charter.root)) != nil
    }

    func note(_ number: UInt64, _ damage: CheckReport.Finding.Damage, _ meaning: String, _ lender: String?) {
        guard let key = try? Record.key(number) else { return }
        // Before a checkpoint that the log was read from, nothing depends on it.
        let isCut = lender == nil && repository.log.interruption.map { $0.number <= number } ?? false
        ledger.add(
            key.text, nil, damage, meaning + (isCut ? consequence(of: number) : ""), snapshots: isCut ? hidden : [],
            recovery: lender.map { .otherVault($0) } ?? (repository.alternates.isEmpty ? .perhapsAnotherVault : .none))
    }

    /// What it means that the log is interrupted at a record.
    private func consequence(of number: UInt64) -> String {
        let known = hidden.isEmpty ? "" : ", of which \(hidden.count) can be told"
        return "; what the log says from there on cannot be judged, and snapshots committed since are not seen\(known)"
    }

    /// A mirrored record's halves: its origin's log vouches for the rest.
    func checkMirrored(_ key: StoreKey) throws(Failure) {
        do throws(Failure) {
            let object = try repository.store.get(key, atMost: Record.largestObject)
            ledger.read(object.count)
            let halves = Record.Halves(object)
            let number = UInt64(key.text.split(separator: "/").last ?? "")
            if halves.either.map({ Record.number(in: $0) != number }) ?? true {
                ledger.add(
                    key.text, nil, .unreadable, "a mirrored log record verifies in neither half",
                    recovery: .perhapsAnotherVault)
            } else if halves.isHurt {
                ledger.add(key.text, nil, .half, "one half of a mirrored log record is damaged", recovery: .secondHalf)
            }
        } catch {
            let trouble = try CheckTrouble.of(error)
            ledger.add(key.text, nil, trouble.damage, trouble.meaning, recovery: .perhapsAnotherVault)
        }
    }
}
