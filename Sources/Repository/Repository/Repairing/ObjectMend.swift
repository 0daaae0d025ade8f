internal import ObjectStore
internal import Platform
internal import Sealing

/// Puts small objects back under their own names, by bytes whose hash is in the name.
///
/// A name that the log holds live was never deleted by anybody: deleting comes after condemning, and what is condemned is
/// never live again. So no deletion is under way that could meet it. Still the log is read before and after: what a
/// collector condemned meanwhile is taken away again, so that nothing forgotten or destroyed comes back.
final class ObjectMend {
    private let repository: Repository
    private let isDryRun: Bool
    private let isCancelled: @Sendable () -> Bool
    private(set) var bytesFetched: UInt64 = 0
    private var known: (head: UInt64, needs: Needs)?

    init(_ repository: Repository, isDryRun: Bool, isCancelled: @escaping @Sendable () -> Bool) {
        self.repository = repository
        self.isDryRun = isDryRun
        self.isCancelled = isCancelled
    }

    // MARK: - What is needed

    /// Whether anything needs the object, by the log as it is now.
    func isWanted(_ name: ObjectName) throws(Failure) -> Bool {
        let state = try repository.log.refresh()
        return try state.isWanted(name) { () throws(Failure) -> Needs? in try needs(state) }
    }

    /// What cannot be read now may be readable once it is repaired: then it is not remembered.
    private func needs(_ state: LogState) throws(Failure) -> Needs? {
        if let known, known.head == state.head { return known.needs }
        guard let needs = try Needs.ifReadable(state, repository.log.pages) else { return nil }
        known = (state.head, needs)
        return needs
    }

    // MARK: - Objects of the log

    func mend(_ finding: CheckReport.Finding, _ name: ObjectName) throws(Failure) -> RepairReport.Item.Outcome {
        guard try isWanted(name) else { return .notNeeded("no snapshot needs it") }
        var found = try bytes(of: name)
        if found == nil, name.kind == .checkpoint {
            found = try recomputed(name).map { ($0, "the records before it") }
        }
        if found == nil, name.kind == .set {
            found = try SetRebuild(repository: repository, isCancelled: isCancelled).bytes(of: name.digest)
        }
        guard let found else { return .left("no vault at hand has it whole") }
        guard !isDryRun else { return .healed("from \(found.from)") }
        let key = try name.key()
        try repository.store.mend(
            key, found.bytes, use: name.kind == .checkpoint ? .log : .data, isMissing: finding.damage == .missing)
        guard try isWanted(name) else {
            try repository.store.deletePatiently(key, repository.surroundings)
            return .notNeeded("it was condemned meanwhile")
        }
        return .healed("from \(found.from)")
    }

    /// The bytes that the name promises, from another copy here or out of another vault.
    func bytes(of name: ObjectName) throws(Failure) -> (bytes: [UInt8], from: String)? {
        let length = repository.log.state.objects[name]?.length
        for other in try Checker.copies(of: name, in: repository) where other != name {
            if let bytes = try read(other, repository.store, length) { return (bytes, other.path) }
        }
        for vault in repository.alternates {
            let names = try [name] + Checker.copies(of: name, in: vault).filter { $0 != name }
            for other in names {
                guard let bytes = try read(other, vault.store, length) else { continue }
                bytesFetched += UInt64(bytes.count)
                return (bytes, vault.store.location)
            }
        }
        return nil
    }

    /// Nil unless the object is there and is what its name promises.
    func read(_ name: ObjectName, _ store: any ObjectStore, _ length: UInt64?) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            let bytes = try store.get(try name.key(), atMost: length ?? name.kind.largest)
            return SHA256.hash(bytes) == name.digest ? bytes : nil
        } catch {
            guard error.isOfOneObject else { throw error }
            return nil
        }
    }

    /// A checkpoint is the state after a record, and there is one way to write that down.
    private func recomputed(_ name: ObjectName) throws(Failure) -> [UInt8]? {
        guard let mark = repository.log.state.checkpoint, mark.object == name else { return nil }
        do throws(Failure) {
            let bytes = try repository.log.stateBytes(after: mark.state)
            return SHA256.hash(bytes) == name.digest ? bytes : nil
        } catch {
            guard error.isOfOneObject else { throw error }
            return nil
        }
    }

    // MARK: - Slots

    /// Both copies of a key slot. Of a slot that no name here speaks of any more nothing is brought back: it was
    /// withdrawn. The log names no slots, so the other name is looked at again after each put.
    func mendSlot(_ digest: Digest) throws(Failure) -> RepairReport.Item.Outcome {
        let names = try slotNames(digest)
        guard !names.isEmpty, try !repository.log.refresh().isDestroyed else { return .notNeeded("it was withdrawn") }
        var damaged: [ObjectName] = []
        var found: (bytes: [UInt8], from: String)?
        for name in names {
            if let bytes = try read(name, repository.store, nil) {
                found = (bytes, "its other copy")
            } else {
                damaged.append(name)
            }
        }
        if found == nil, let name = names.first { found = try bytes(of: name) }
        guard let found else { return .left("no vault at hand has it whole") }
        guard try Slot(found.bytes).repository == repository.id else {
            return .notNeeded("it is a slot of another repository")
        }
        guard !isDryRun else { return .healed("from \(found.from)") }
        for name in damaged where try !put(found.bytes, as: name, isMissing: false, beside: names) {
            return .notNeeded("it was withdrawn meanwhile")
        }
        if names.count == 1 {
            let second = ObjectName(kind: .slot, digest: digest, session: .random(repository.surroundings))
            guard try put(found.bytes, as: second, isMissing: true, beside: names) else {
                return .notNeeded("it was withdrawn meanwhile")
            }
        }
        return .healed("from \(found.from)")
    }

    private func slotNames(_ digest: Digest) throws(Failure) -> [ObjectName] {
        try Repository.slotNames(repository.store).filter { $0.digest == digest }
    }

    /// False, and nothing is left there, when the names that were beside it went meanwhile.
    private func put(
        _ bytes: [UInt8], as name: ObjectName, isMissing: Bool, beside names: [ObjectName]
    ) throws(Failure) -> Bool {
        let key = try name.key()
        try repository.store.mend(key, bytes, use: .log, isMissing: isMissing)
        let others = names.filter { $0 != name }
        let now = try slotNames(name.digest)
        let isDestroyed = try repository.log.refresh().isDestroyed
        guard isDestroyed || (!others.isEmpty && !others.contains(where: now.contains)) else { return true }
        try repository.store.deletePatiently(key, repository.surroundings)
        return false
    }

    // MARK: - Mirrored records

    /// A record of another vault's log, as it was mirrored here: `origins/<vault>/log/<number>`.
    func mendMirrored(_ finding: CheckReport.Finding) throws(Failure) -> RepairReport.Item.Outcome {
        let parts = finding.object.split(separator: "/").map(String.init)
        guard parts.count == 4, let vault = VaultID(hex: parts[1]), let number = UInt64(parts[3]),
            let key = StoreKey(finding.object)
        else { return .left("it is no mirrored record") }
        let mirror = MirroredLog(repository, vault)
        guard let found = try mirror.record(number) else { return .left("no vault at hand has it") }
        if found.isFetched { bytesFetched += UInt64(found.bytes.count) }
        if !isDryRun {
            try repository.store.mend(
                key, Record.object(found.bytes), use: .log, isMissing: finding.damage == .missing)
        }
        return .healed("from \(found.from)")
    }
}

extension Log {
    /// The state after a record as a checkpoint holds it, from every record up to it.
    fileprivate func stateBytes(after number: UInt64) throws(Failure) -> [UInt8] {
        var contents = try genesisAnew()
        try readForward(&contents, to: number)
        guard contents.state.head == number else { throw Failure(.notFound, "the log ends before record \(number)") }
        return try contents.state.checkpointBytes()
    }
}
