internal import ObjectStore
internal import Platform
internal import Sealing

extension Checker {
    /// Objects outside the log's state that a check looks at.
    struct Listed {
        /// Slots, site keys, and the last checkpoint.
        var loose: [(name: ObjectName, length: UInt64)] = []
        var mirrored: [(key: StoreKey, length: UInt64)] = []
        /// Lengths of the records' objects, by number.
        var records: [UInt64: UInt64] = [:]
    }

    /// Lists the vault and sorts what the log does not hold.
    func checkListing() throws -> Listed {
        ledger.begin(.listing, of: 0)
        var listed = Listed()
        var beyond: UInt64?
        try repository.store.forEach(prefix: "") { object in
            let path = object.key.text
            let folder = path.split(separator: "/", maxSplits: 1).first.map(String.init) ?? ""
            if folder == "log" {
                guard let number = UInt64(path.dropFirst(4)), try Record.key(number) == object.key else {
                    return malformed(path)
                }
                listed.records[number] = object.length
                if number > state.head { beyond = min(beyond ?? number, number) }
            } else if let kind = ObjectKind.allCases.first(where: { $0.folder == folder }) {
                guard let name = ObjectName(path: path) else { return malformed(path) }
                switch kind {
                case .slot, .siteKey: listed.loose.append((name, object.length))
                // Nobody starts at another than the last any more.
                case .checkpoint: if name == state.checkpoint?.object { listed.loose.append((name, object.length)) }
                default:
                    guard state.objects[name] == nil else { return }
                    ledger.change {
                        $0.orphans += 1
                        $0.orphanBytes += object.length
                    }
                    if kind == .manifest { try noteUncommitted(name) }
                }
            } else if folder == "origins", Self.isMirroredRecord(path) {
                listed.mirrored.append((object.key, object.length))
            } else {
                ledger.change { $0.strangers.append(path) }
            }
        }
        if let last = state.checkpoint?.object, !listed.loose.contains(where: { $0.name == last }) {
            listed.loose.append((last, 0))
        }
        if let beyond, try repository.log.refresh().head < beyond, beyond == state.head + 1 {
            try checkRecord(beyond)
        } else if let beyond, try repository.log.refresh().head < beyond {
            note(state.head + 1, .missing, "log record \(state.head + 1) is not there, and record \(beyond) is", nil)
        }
        if repository.log.isInterrupted {
            // They may be what the hidden records name.
            ledger.change {
                if $0.orphans > 0 {
                    $0.notes.append(
                        "what needs \($0.orphans.counted("object", "objects")) of "
                            + "\($0.orphanBytes.counted("byte", "bytes")) cannot be told: the log is interrupted"
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

    /// A manifest is put last: where it is whole and signed, its session had nothing left to do but to commit. That died
    /// there, and this is an orphan like others; or the log has lost its end, and this is a snapshot.
    private func noteUncommitted(_ name: ObjectName) throws(Failure) {
        guard !repository.log.isInterrupted, !state.isDestroyed, state.snapshots[name.digest] == nil,
            !state.forgotten.contains(name.digest)
        else { return }
        let bytes: [UInt8]
        do throws(Failure) {
            bytes = try repository.objects.read(name)
        } catch {
            guard error.isOfOneObject else { throw error }
            return
        }
        guard let manifest = try? Manifest(bytes, root: state.charter.root, repository: state.repository),
            !manifest.clear.isStage
        else { return }
        ledger.change { if !$0.uncommitted.contains(name.digest) { $0.uncommitted.append(name.digest) } }
    }

    /// What the log does not name and that should be there all the same: the second copy of each key slot, and the site
    /// key, sealed.
    func checkCopies(of listed: Listed) throws(Failure) {
        guard !state.isDestroyed else { return }
        var slots: [Digest: [ObjectName]] = [:]
        var siteKeys: [Digest: Int] = [:]
        for name in listed.loose.map(\.name) {
            if name.kind == .slot { slots[name.digest, default: []].append(name) }
            if name.kind == .siteKey, try isOwnSiteKey(name) || ledger.has(name.path) {
                siteKeys[name.digest, default: 0] += 1
            }
        }
        for (digest, names) in slots.sorted(by: { $0.key < $1.key }) where names.count == 1 {
            // One of another repository is what a making that was cut short has left.
            guard let only = names.first, try isOwnSlot(only) else { continue }
            ledger.add(
                "\(ObjectKind.slot.folder)/\(digest)", nil, .missing, "the second copy of this key slot is not there",
                recovery: .otherCopy(only.path))
        }
        if let loss = try repository.slotlessness() { ledger.change { $0.notes.append(loss) } }
        if siteKeys.values.contains(1) {
            ledger.change {
                $0.notes.append("the sealed site key lies here once: `repair` puts a second copy beside it")
            }
        }
        if siteKeys.isEmpty {
            ledger.add(
                "\(ObjectKind.siteKey.folder)/", nil, .missing,
                "no site key lies beside the log: only its site can append as the site", recovery: .notNeeded)
        }
    }

    private func isOwnSlot(_ name: ObjectName) throws(Failure) -> Bool {
        guard let bytes = try readIfWhole(name), let slot = try? Slot(bytes) else { return false }
        return slot.repository == state.repository
    }

    private func isOwnSiteKey(_ name: ObjectName) throws(Failure) -> Bool {
        guard let bytes = try readIfWhole(name), let key = try? SiteKeyObject(bytes) else { return false }
        guard key.vault == state.vault, !repository.mayServe(key) else { return key.vault == state.vault }
        ledger.change {
            $0.notes.append("\(name) is sealed as the site key of this vault is, and the keys at hand do not open it")
        }
        return false
    }

    private func readIfWhole(_ name: ObjectName) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try repository.objects.read(name)
        } catch {
            guard error.isOfOneObject else { throw error }
            return nil
        }
    }

    /// `origins/<vault>/log/<number>`.
    private static func isMirroredRecord(_ path: String) -> Bool {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 4, VaultID(hex: parts[1]) != nil, parts[2] == "log", let number = UInt64(parts[3]) else {
            return false
        }
        return (try? Record.key(number, folder: "origins/\(parts[1])/log"))?.text == path
    }
}
