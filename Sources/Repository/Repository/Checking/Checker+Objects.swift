internal import ObjectStore
internal import Platform
internal import Sealing

/// What segments and packs' own tables say of packs, each as one hash, for comparing them when all are read.
struct CheckTables: Sendable {
    var own: [Digest: Digest] = [:]
    var claims: [(segment: ObjectName, pack: Digest, entries: Digest)] = []

    /// The hash of a pack's entries, whichever of the index's packs they are under.
    static func hash(_ entries: [SegmentEntry]) -> Digest {
        var stream = SHA256Stream()
        let ordered = entries.sorted { ($0.frame, $0.inside, $0.id) < ($1.frame, $1.inside, $1.id) }
        for entry in ordered {
            var bytes = entry.id.digest.bytes
            for word in [entry.frame, entry.offset, entry.sealedLength, entry.inside, entry.length] {
                for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
            }
            stream.update(bytes)
        }
        return stream.finish()
    }
}

extension Checker {
    enum Item: Sendable {
        case held(ObjectName, UInt64)
        case loose(ObjectName, UInt64)
        case mirrored(StoreKey, UInt64)
        case record(UInt64, StoreKey, UInt64)

        var key: String {
            switch self {
            case .held(let name, _), .loose(let name, _): name.path
            case .mirrored(let key, _), .record(_, let key, _): key.text
            }
        }

        /// Bytes it has, by the log or the listing.
        var length: UInt64 {
            switch self {
            case .held(_, let length), .loose(_, let length), .mirrored(_, let length), .record(_, _, let length):
                length
            }
        }
    }

    /// Every object that the log holds and is not condemned, or that it is judged by, and the loose ones.
    func items(_ listed: Listed) -> [Item] {
        let held = state.objects.filter { $0.value.status != .condemned || state.isJudgedBy($0.key, $0.value) }
        var items: [Item] = held.sorted { $0.key < $1.key }.map { .held($0.key, $0.value.length) }
        items += listed.loose.map { .loose($0.name, $0.length) }
        items += listed.mirrored.map { .mirrored($0.key, $0.length) }
        return items
    }

    /// Against their names.
    func checkObjects(_ listed: Listed) throws {
        let items = items(listed)
        let bytes = options.readData ? items.reduce(0) { $0 &+ $1.length } : 0
        ledger.begin(.objects, of: UInt64(items.count), bytes: bytes)
        try check(items)
    }

    func check(_ all: [Item]) throws {
        try Workers.each(all, on: options.workers) { item in
            switch item {
            case .held(let name, let length) where name.kind == .pack: try checkPack(name, length: length)
            case .held(let name, let length): try checkSmall(name, length: length)
            case .loose(let name, _): try checkSmall(name, length: nil)
            case .mirrored(let key, _): try checkMirrored(key)
            case .record(let number, _, _): try checkRecord(number)
            }
            ledger.passed()
        }
    }

    private func checkPack(_ name: ObjectName, length: UInt64) throws(Failure) {
        let check = PackCheck(
            repository.store, name, length: length, readData: options.readData, secret: repository.keys.secret,
            session: { self.session($0) })
        do {
            let table = try check.run { self.ledger.read($0) }
            if let table {
                let hash = CheckTables.hash(table.entries(pack: 0))
                tables.access { $0.own[name.digest] = hash }
            }
        } catch let trouble as CheckTrouble {
            ledger.add(name, trouble)
        } catch let failure as Failure {
            ledger.add(name, try CheckTrouble.of(failure))
        } catch {
            ledger.add(name, CheckTrouble(.unreadable, "\(error)"))
        }
    }

    /// The key of a session, when there are keys and its envelope opens; asked for once.
    private func session(_ session: SessionID) -> SessionKey? {
        guard isKeyed else { return nil }
        if let known = sessionKeys.access({ $0[session] }) { return known }
        let key = envelopes[session].flatMap { try? repository.sessionKey(session, envelope: $0) }
        sessionKeys.access { $0[session] = key }
        return key
    }

    // MARK: - Small objects

    private func checkSmall(_ name: ObjectName, length: UInt64?) throws(Failure) {
        do throws(Failure) {
            guard let actual = try repository.store.length(of: try name.key()) else {
                return ledger.add(name, CheckTrouble(.missing, "it is not there"))
            }
            if let length, actual != length {
                return ledger.add(name, CheckTrouble(.length, "it has \(actual) bytes where the log says \(length)"))
            }
            let bytes = try repository.store.get(try name.key(), atMost: name.kind.largest)
            ledger.read(bytes.count)
            guard name.promises(bytes) else {
                return ledger.add(name, CheckTrouble(.altered, "its bytes are not those that its name promises"))
            }
            try understand(name, bytes)
        } catch {
            ledger.add(name, try CheckTrouble.of(error))
        }
    }

    /// Whether an object whose bytes are its own says what such an object must.
    private func understand(_ name: ObjectName, _ bytes: [UInt8]) throws(Failure) {
        do throws(Failure) {
            switch name.kind {
            case .manifest: try understand(manifest: bytes, name)
            case .envelope:
                let envelope = try Envelope(bytes)
                guard envelope.repository == state.repository else {
                    throw Failure(.damaged, "an envelope of another repository")
                }
                if let reader = repository.keys.readers.first(where: { $0.generation == envelope.generation }) {
                    _ = try envelope.open(reader)
                }
            case .set: _ = try PackSet(bytes, expecting: name.digest)
            case .segment: try understand(segment: bytes, name)
            // One of another repository is what a making that was cut short has left: it is passed over.
            case .slot: _ = try Slot(bytes)
            case .siteKey: _ = try SiteKeyObject(bytes)
            case .pack, .page, .checkpoint: break
            }
        } catch  where error.code == .damaged {
            ledger.add(name, CheckTrouble(.unopenable, error.what))
        }
    }

    private func understand(manifest bytes: [UInt8], _ name: ObjectName) throws(Failure) {
        let manifest = try Manifest(bytes, root: state.charter.root, repository: state.repository)
        guard let committed = state.snapshots[name.digest] else { return }
        guard manifest.clear == committed.clear else {
            throw Failure(.damaged, "its clear part is not the one in the log")
        }
        guard let key = session(manifest.clear.session) else { return }
        let part = try manifest.open(key)
        guard part.streams.map(\.kind) == manifest.clear.streams else {
            throw Failure(.damaged, "its sealed part has other streams than its clear part")
        }
    }

    private func understand(segment bytes: [UInt8], _ name: ObjectName) throws(Failure) {
        guard let secret = repository.keys.secret else { return }
        let segment = try Segment(bytes, secret, repository: state.repository, name: name.path)
        var byPack = [[SegmentEntry]](repeating: [], count: segment.packs.count)
        for entry in segment.entries { byPack[Int(entry.pack)].append(entry) }
        for (pack, entries) in zip(segment.packs, byPack) {
            let hash = CheckTables.hash(entries)
            tables.access { $0.claims.append((name, pack.root, hash)) }
        }
    }

    /// A segment that says of a pack what its table does not say leads readers astray, no more: ids are recomputed.
    func compareSegments() {
        let (own, claims) = tables.access { ($0.own, $0.claims) }
        for claim in claims {
            guard let table = own[claim.pack], table != claim.entries else { continue }
            ledger.add(
                claim.segment,
                CheckTrouble(.contradicts, "it does not say of pack \(claim.pack) what the pack's own table says"))
        }
    }
}
