internal import ObjectStore
internal import Platform
internal import Sealing

extension Checker {
    /// Reads every record again, both halves, and compares it with what the log made of it.
    func checkLog() throws {
        try repository.log.readWhole()
        ledger.begin(.log, of: state.head + 1)
        let borrowed = repository.log.borrowed
        for number in 0...state.head {
            let key = try Record.key(number)
            let object: [UInt8]
            do throws(Failure) {
                object = try repository.store.recordObject(number)
            } catch {
                let trouble = try CheckTrouble.of(error)
                note(number, trouble.damage, trouble.meaning, borrowed[number])
                continue
            }
            ledger.read(object.count)
            let halves = Record.Halves(object)
            let expected = repository.log.hash(of: number)
            let whole = halves.both.filter { isTrue($0, number, expected) }.count
            if whole == 1 {
                ledger.add(
                    key.text, nil, .half, "one half of log record \(number) is damaged", recovery: .secondHalf)
            } else if whole == 2, halves.isHurt {
                ledger.add(
                    key.text, nil, .length, "log record \(number) holds other bytes besides its halves",
                    recovery: .secondHalf)
            } else if whole == 0, state.blockedBy == nil, borrowed[number] == nil,
                Record.hash(ofUnverified: object) == expected
            {
                // Settled: a void that names these bytes stands.
                ledger.change { $0.notes.append("record \(number) of the log is no record; a void of it stands") }
            } else if whole == 0 {
                note(number, .unreadable, "log record \(number) verifies in neither half", borrowed[number])
            }
            ledger.passed()
        }
        for number in state.undecided {
            ledger.change {
                $0.notes.append(
                    "record \(number) of the log was taken to be in order: a set or page it names cannot be read")
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

    private func note(_ number: UInt64, _ damage: CheckReport.Finding.Damage, _ meaning: String, _ lender: String?) {
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

    /// Objects outside the log's state that a check looks at.
    struct Listed {
        /// Slots, site keys and checkpoints.
        var loose: [(name: ObjectName, length: UInt64)] = []
        var mirrored: [StoreKey] = []
    }

    /// Lists the vault and sorts what the log does not hold.
    func checkListing() throws -> Listed {
        ledger.begin(.listing, of: 0)
        var listed = Listed()
        var beyond: UInt64?
        var slots: [Digest: Int] = [:]
        try repository.store.forEach(prefix: "") { object in
            let path = object.key.text
            let folder = path.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
            if folder == "log" {
                guard let number = UInt64(path.dropFirst(4)), try Record.key(number) == object.key else {
                    return malformed(path)
                }
                if number > state.head { beyond = min(beyond ?? number, number) }
            } else if let kind = ObjectKind.allCases.first(where: { $0.folder == folder }) {
                guard let name = ObjectName(path: path) else { return malformed(path) }
                switch kind {
                case .slot:
                    slots[name.digest, default: 0] += 1
                    listed.loose.append((name, object.length))
                case .siteKey, .checkpoint: listed.loose.append((name, object.length))
                default:
                    guard state.objects[name] == nil else { return }
                    ledger.change {
                        $0.orphans += 1
                        $0.orphanBytes += object.length
                    }
                }
            } else if folder == "origins", Self.isMirroredRecord(path) {
                listed.mirrored.append(object.key)
            } else {
                ledger.change { $0.strangers.append(path) }
            }
        }
        if !listed.loose.contains(where: { $0.name.kind == .siteKey }) {
            ledger.change { $0.notes.append("no site key lies beside the log: only its site can append as the site") }
        }
        for (digest, copies) in slots where copies == 1 {
            ledger.change { $0.notes.append("key slot \(digest) lies under one name only; two are better") }
        }
        if let beyond, try repository.log.refresh().head < beyond {
            note(state.head + 1, .missing, "log record \(state.head + 1) is not there, and record \(beyond) is", nil)
        }
        if repository.log.isInterrupted {
            // They may be what the hidden records name.
            ledger.change {
                if $0.orphans > 0 {
                    $0.notes.append(
                        "whether \($0.orphans) objects of \($0.orphanBytes) bytes are needed cannot be told: the log is interrupted"
                    )
                }
                ($0.orphans, $0.orphanBytes) = (0, 0)
            }
        }
        return listed
    }

    private func malformed(_ path: String) {
        ledger.add(path, nil, .malformedName, "no object of the repository has such a name", recovery: .notNeeded)
    }

    /// `origins/<vault>/log/<number>`.
    private static func isMirroredRecord(_ path: String) -> Bool {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 4, VaultID(hex: parts[1]) != nil, parts[2] == "log", let number = UInt64(parts[3]) else {
            return false
        }
        return (try? Record.key(number, folder: "origins/\(parts[1])/log"))?.text == path
    }

    /// A mirrored record's halves: its origin's log vouches for the rest.
    func checkMirrored(_ key: StoreKey) throws(Failure) {
        do throws(Failure) {
            let object = try repository.store.get(key, atMost: Record.largestObject)
            ledger.read(object.count)
            let halves = Record.Halves(object)
            if halves.either == nil {
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
