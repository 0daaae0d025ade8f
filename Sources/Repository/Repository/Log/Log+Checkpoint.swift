internal import ObjectStore
package import Platform
internal import Sealing

/// Opening a long log at its last checkpoint instead of its genesis.
///
/// 1. Find the head, roughly. 2. The newest record names the last checkpoint record; that one, signed by the site,
/// names the object and the number of the state in it. 3. The object hashes to its name, decodes, and follows the very
/// record that lies at that number. 4. Read on from there; the checkpoint record must turn out to be effective.
/// Whatever does not hold: read everything from the genesis.
extension Log {
    /// A checkpoint is due this many records after the last.
    package static let checkpointInterval: UInt64 = 256

    /// How far back from the head a record that verifies is looked for.
    private static let tips: UInt64 = 4

    func startAtCheckpoint(_ genesis: Contents) -> Contents? {
        guard let hint = try? roughHead(), hint > 1 else { return nil }
        return try? followCheckpoint(genesis, hint: hint)
    }

    /// A set by which an early record is judged may rightly be collected once a checkpoint holds the judgement: whoever
    /// comes after, or was asleep meanwhile, goes on from that checkpoint. Which one it is the log says as far as it was
    /// read, whatever lies at its end.
    /// - Throws: errors of the store; that the checkpoint is lost or damaged is none.
    func settleByCheckpoint() throws(Failure) {
        let held = monitor.access { $0 }
        guard let last = held.state.checkpoint?.record else { return }
        let genesis = try genesisAnew()
        let found: Contents?
        do throws(Failure) { found = try start(genesis, at: last) } catch {
            guard error.isOfOneObject else { throw error }
            return
        }
        guard let further = found, further.state.undecided.isEmpty, further.state.head >= held.state.head,
            further.base <= held.state.head,
            further.hashes[Int(held.state.head - further.base)] == held.state.headHash
        else { return }
        monitor.access { if $0.state.head <= further.state.head { $0 = further } }
    }

    private func followCheckpoint(_ genesis: Contents, hint: UInt64) throws(Failure) -> Contents? {
        var tip: Record?
        for back in 0..<min(Self.tips, hint) where tip == nil { tip = try record(hint - back, genesis.state) }
        guard let tip, tip.checkpoint > 0, tip.checkpoint < tip.number else { return nil }
        return try start(genesis, at: tip.checkpoint)
    }

    /// What a checkpoint record and all after it say; nil where it is none, or its object does not hold.
    private func start(_ genesis: Contents, at checkpoint: UInt64) throws(Failure) -> Contents? {
        guard let mark = try record(checkpoint, genesis.state), case .site = mark.author,
            case .checkpoint(let name, let number) = mark.body, name.kind == .checkpoint, number < mark.number
        else { return nil }
        let bytes = try store.get(try name.key(), atMost: name.kind.largest)
        guard SHA256.hash(bytes) == name.digest else { return nil }
        let state = try LogState(checkpoint: bytes, genesis: genesis.state)
        guard state.head == number, try record(number, genesis.state)?.hash == state.headHash else { return nil }
        var contents = genesis
        contents.state = state
        contents.base = number
        contents.hashes = [state.headHash]
        try readForward(&contents)
        guard let last = contents.state.checkpoint, last.record >= mark.number else { return nil }
        return contents
    }

    /// The number of a record near the head, from few questions: doubled until one is not there, then halved.
    private func roughHead() throws(Failure) -> UInt64 {
        var there: UInt64 = 0
        var beyond = Self.checkpointInterval / 2
        while try isThere(beyond) {
            there = beyond
            guard beyond < 1 << 52 else { break }
            beyond *= 2
        }
        // A log shorter than a checkpoint's interval is read from its beginning.
        guard there > 0 else { return 0 }
        while beyond - there > 1 {
            let middle = there + (beyond - there) / 2
            if try isThere(middle) { there = middle } else { beyond = middle }
        }
        return there
    }

    private func isThere(_ number: UInt64) throws(Failure) -> Bool {
        try store.length(of: try Record.key(number)) != nil
    }

    /// An authentic record, or nil where the stored bytes are none.
    func record(_ number: UInt64, _ state: LogState) throws(Failure) -> Record? {
        let object = try store.recordObject(number)
        guard let bytes = Record.Halves(object).either else { return nil }
        return try? Record(
            bytes, repository: state.repository, vault: state.vault, number: number, site: state.site,
            root: state.charter.root)
    }

    // MARK: - What lies before the checkpoint

    /// Whether the record of that head is one that this log goes back to.
    func goesBack(to seen: LogHead) throws(Failure) -> Bool {
        let (state, base, hashes) = monitor.access { ($0.state, $0.base, $0.hashes) }
        if seen.number >= base {
            let place = seen.number - base
            return place < UInt64(hashes.count) && hashes[Int(place)] == seen.hash
        }
        // The checkpoint vouches for the state, not for what this client saw: walk from there to the checkpoint.
        guard try names(at: seen.number).contains(seen.hash) else { return false }
        var hash = seen.hash
        for number in seen.number + 1...base {
            if let record = try record(number, state), record.previous == hash {
                hash = record.hash
            } else {
                guard let unverified = try names(at: number).last else { return false }
                hash = unverified
            }
        }
        return hash == hashes.first
    }

    /// What the record after `number` may rightly name it by: its hash, or, where it counts as no record, that of the
    /// bytes.
    private func names(at number: UInt64) throws(Failure) -> [Digest] {
        let object = try store.recordObject(number)
        return (Record.Halves(object).either.map { [Record.hash(ofRecord: $0)] } ?? []) + [
            Record.hash(ofUnverified: object)
        ]
    }

    /// Reads what lies before the checkpoint too, for a check: afterwards every record has its hash and its finding.
    /// The state stays as it is: sets by which early records were judged may rightly be collected.
    package func readWhole() throws(Failure) {
        guard monitor.access({ $0.base }) > 0 else { return }
        var contents = try genesisAnew()
        try readForward(&contents, to: state.head)
        monitor.access { held in
            let place = Int(held.state.head)
            guard contents.hashes.count > place, contents.hashes[place] == held.state.headHash else { return }
            let later = held.findings.filter { $0.number > held.base }
            held.findings = contents.findings.filter { $0.number <= held.base } + later
            held.hashes = Array(contents.hashes[...place])
            held.borrowedEarlier = contents.borrowed.filter { $0.key <= held.base }
            held.base = 0
        }
    }
}

extension Repository {
    /// Writes a checkpoint when many records came since the last and this opener holds the vault's site key. Sets and
    /// manifests condemned before it may be deleted once a later record names it.
    /// - Returns: whether one was written.
    @discardableResult
    package func writeCheckpointIfDue(every interval: UInt64 = Log.checkpointInterval) throws -> Bool {
        guard keys.site != nil else { return false }
        let state = try log.refresh()
        guard state.blockedBy == nil, state.undecided.isEmpty, state.head - (state.checkpoint?.record ?? 0) >= interval
        else { return false }
        let reference = try Self.put(
            try state.checkpointBytes(), as: .checkpoint, session: .random(surroundings), store)
        do {
            try appendAsSite { newest in
                guard newest.checkpoint == state.checkpoint else {
                    throw Failure(.exists, "another program of the site wrote the checkpoint")
                }
                return .checkpoint(reference.name, state: state.head)
            }
        } catch let failure as Failure where failure.code == .exists || failure.code == .refused { return false }
        return true
    }

    /// The same after work that is done and stands, and that it must not make fail.
    /// - Returns: why none could be written, for a warning.
    package func writeCheckpointAfterWork(every interval: UInt64 = Log.checkpointInterval) -> Failure? {
        do {
            try writeCheckpointIfDue(every: interval)
            return nil
        } catch {
            return Failure(
                .failed, "no checkpoint of the log in \(store.location) could be written",
                advice: "Nothing is lost: opening it takes longer until the next one.", cause: error)
        }
    }
}
