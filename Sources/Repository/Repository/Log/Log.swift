package import ObjectStore
package import Platform
package import Sealing

/// A repository's log in one vault: reads forward, judges, appends by conditional put.
///
/// Opening: 1. read the genesis, 2. go to the last checkpoint, if there is one (`Log+Checkpoint`), 3. read on until a
/// number is not there, judging each record, 4. compare with the last head seen. Appending: 1. read forward, 2. let the caller say what to append to that state, 3. judge it,
/// 4. put it under the next number if nothing is there; whoever loses reads what won and begins again.
package final class Log: Sendable {
    /// Something about the stored log that is not as it was written.
    package struct Finding: Sendable, Hashable {
        package enum Kind: Sendable, Hashable {
            /// One half of the record is damaged; the other was used.
            case halfDamaged
            /// No half verifies, and a void says so or has to, or another vault's mirror had it.
            case unreadable
            /// A record of this log that does not follow the one before it.
            case unlinked
            /// It is not there, and a later one is.
            case missing
            case void(String)
        }
        package var number: UInt64
        package var kind: Kind
    }

    package let store: any ObjectStore
    package let pages: any PageSource
    private let heads: any HeadMemory
    /// Stores of other vaults, which may mirror this log.
    let mirrors: [any ObjectStore]
    /// Those of them that whoever opens has named: from these a lost end of the log is read, too.
    private let named: [any ObjectStore]
    /// Of whoever opens: they open the sealed site key, which vouches for a genesis that is lost here.
    let readers: [ReaderKey]
    private let surroundings: Surroundings
    let monitor: Monitor<Contents>

    struct Contents {
        var state: LogState
        var findings: [Finding] = []
        /// The first record whose hash is known: 0, or where a checkpoint's state ends.
        var base: UInt64 = 0
        /// Hash of each record from `base` on, for comparing with heads seen.
        var hashes: [Digest]
        /// Records that no half of which verifies here, and where they were read instead.
        var borrowed: [UInt64: String] = [:]
        /// The same, of records before the checkpoint that was started from: nobody needs them to go on.
        var borrowedEarlier: [UInt64: String] = [:]
        /// A later record is there, and this one is not.
        var gap: UInt64?
        /// Something lies where the gap is, and the store does not give it.
        var isGapUnread = false
        var newerElsewhere: UInt64?
        /// The record by which the state is blocked, while it is.
        var blockedAt: UInt64?
        /// Records that are to have no effect, for a state as it would be without them.
        var givenUp: Set<UInt64> = []
    }

    /// - Parameter readers: reader keys of the repository, where they are at hand.
    /// - Throws: `.notFound` when there is no repository; `.refused` when it is not `expected`, requires unknown
    ///   features, or was rolled back behind a head seen before.
    package init(
        _ store: any ObjectStore, expecting expected: RepositoryID?, pages: any PageSource, heads: any HeadMemory,
        mirrors: [any ObjectStore] = [], named: [any ObjectStore] = [], readers: [ReaderKey] = [],
        surroundings: Surroundings
    ) throws(Failure) {
        self.store = store
        self.pages = pages
        self.heads = heads
        self.mirrors = named + mirrors
        self.named = named
        self.readers = readers
        self.surroundings = surroundings
        let genesis = try Self.genesis(of: store, expecting: expected, mirrors: named + mirrors, readers)
        monitor = Monitor(genesis)
        if let further = startAtCheckpoint(genesis) { monitor.access { $0 = further } }
        try refresh()
        try lookBeyondHead()
        try compareWithLastSeen()
    }

    package var state: LogState { monitor.access { $0.state } }
    package var findings: [Finding] { monitor.access { $0.findings } }
    /// The number of the newest record that was seen of this vault at another place, when this log does not go on from
    /// it: an older copy of the vault, or a log that lost its end.
    package var newerElsewhere: UInt64? { monitor.access { $0.newerElsewhere } }
    /// Records that verify in neither half here, by number, and the location of the vault whose mirror had them.
    package var borrowed: [UInt64: String] {
        monitor.access { $0.borrowed.merging($0.borrowedEarlier) { first, _ in first } }
    }

    /// What the record after `number` names as `previous`; nil beyond the head, and before a checkpoint that was
    /// started from (see `readWhole`).
    func hash(of number: UInt64) -> Digest? {
        monitor.access { contents in
            guard number >= contents.base, number - contents.base < UInt64(contents.hashes.count) else { return nil }
            return contents.hashes[Int(number - contents.base)]
        }
    }

    static func halves(_ store: any ObjectStore, _ number: UInt64) throws(Failure) -> Record.Halves? {
        do throws(Failure) {
            return Record.Halves(try store.recordObject(number))
        } catch  where error.code == .notFound { return nil }
    }

    // MARK: - Reading forward

    /// Reads what was appended since, and returns the state.
    @discardableResult
    package func refresh() throws(Failure) -> LogState {
        while true {
            let known = state
            let next = known.head + 1
            let found = try look(after: known)
            guard found != .missing else {
                // Where that fails everything reads all the same, and nothing is appended.
                if !state.undecided.isEmpty { try? settleByCheckpoint() }
                return state
            }
            try monitor.access { contents throws(Failure) in
                // Another thread may have been quicker.
                if contents.state.head + 1 == next { try take(found, number: next, into: &contents) }
            }
            // What can be read of no vault ends the log as what is lost does.
            if found == .unreadable, state.head < next { return state }
        }
    }

    /// The same for contents that nobody sees yet.
    /// - Parameter last: the record to read up to, where the log is known to have it: one that is not there is lost, and
    ///   read from a mirror.
    func readForward(_ contents: inout Contents, to last: UInt64? = nil) throws(Failure) {
        while contents.state.head < last ?? .max {
            let next = contents.state.head + 1
            let found = try look(after: contents.state)
            guard found != .missing || last != nil else { return }
            try take(found, number: next, into: &contents)
            guard contents.state.head == next else { return }
        }
    }

    /// What lies at a number.
    private enum Found: Equatable {
        case bytes([UInt8]), missing
        /// It cannot be read for itself, like a bad sector: a mirror has it, or it is as good as lost.
        case unreadable

        var bytes: [UInt8]? { if case .bytes(let bytes) = self { bytes } else { nil } }
    }

    private func look(after state: LogState) throws(Failure) -> Found {
        do throws(Failure) {
            return .bytes(try store.recordObject(state.head + 1))
        } catch {
            if error.code == .notFound { return .missing }
            guard error.isOfOneObject, error.code == .damaged || lend(state.head + 1, state) != nil else {
                throw error
            }
            return .unreadable
        }
    }

    /// Judges what was found at the next number.
    private func take(_ found: Found, number: UInt64, into contents: inout Contents) throws(Failure) {
        let object = found.bytes
        let halves = object.map { Record.Halves($0) }
        var authentic = (halves?.different ?? []).compactMap { Self.record($0, number, contents.state) }
        if !authentic.contains(where: { $0.previous == contents.state.headHash }) {
            let kind: Finding.Kind = found == .missing ? .missing : authentic.isEmpty ? .unreadable : .unlinked
            let finding = Finding(number: number, kind: kind)
            if !contents.findings.contains(finding) { contents.findings.append(finding) }
            guard let (lent, lender) = lend(number, contents.state), try !isGivenUp(number, object, contents.state)
            else {
                guard let object else {
                    let wasUnread = contents.gap == number && contents.isGapUnread
                    contents.isGapUnread = found == .unreadable || wasUnread
                    contents.gap = number
                    return
                }
                contents.gap = nil
                if contents.state.blockedBy == nil { contents.blockedAt = number }
                contents.state.block(number: number, object: object)
                contents.hashes.append(contents.state.headHash)
                return
            }
            contents.borrowed[number] = lender
            authentic = [lent]
        } else if halves?.isHurt ?? false {
            contents.findings.append(Finding(number: number, kind: .halfDamaged))
        }
        guard let record = authentic.first(where: { $0.previous == contents.state.headHash }) else { return }
        contents.gap = nil
        let verdict = try judge(record, &contents)
        contents.hashes.append(record.hash)
        if case .void(let reason) = verdict { contents.findings.append(Finding(number: number, kind: .void(reason))) }
    }

    /// By all that can be read of what the record names.
    private func judge(_ record: Record, _ contents: inout Contents) throws(Failure) -> LogState.Verdict {
        guard !contents.givenUp.contains(record.number) else {
            contents.state.pass(record)
            return .void("it was given up")
        }
        // The state that a checkpoint holds is what everybody goes on from, whoever has read otherwise.
        var digest: Digest?
        if case .checkpoint(_, state: contents.state.head) = record.body, contents.state.head > contents.base {
            digest = contents.state.checkpointDigest
        }
        let verdict = try apply(record, &contents.state)
        if verdict == .effective, let digest, case .checkpoint(let name, state: _) = record.body, name.digest != digest
        {
            contents.state.undecided.append(LogState.Undecided(record.number, .otherState))
        }
        return verdict
    }

    private func apply(_ record: Record, _ state: inout LogState) throws(Failure) -> LogState.Verdict {
        for evidence in [LogState.Evidence(listings: pages, sets: pages), LogState.Evidence(listings: pages)] {
            do throws(Failure) { return try state.apply(record, by: evidence) } catch {
                guard error.code == .damaged || error.code == .notFound else { throw error }
            }
        }
        return try state.apply(record, by: LogState.Evidence())
    }

    static func record(_ bytes: [UInt8], _ number: UInt64, _ state: LogState) -> Record? {
        try? Record(
            bytes, repository: state.repository, vault: state.vault, number: number, site: state.site,
            root: state.charter.root)
    }

    // MARK: - Lost records

    /// A record out of another vault's mirror of this log, or out of a copy of this vault. It must be authentic, follow
    /// the head, and be what the next record here names, if that one can be read: junk that was voided here is not
    /// replaced behind the void.
    private func lend(
        _ number: UInt64, _ state: LogState, among stores: [any ObjectStore]? = nil
    ) -> (record: Record, from: String)? {
        for (mirror, folder) in (stores ?? mirrors).flatMap({ [($0, "origins/\(state.vault)/log"), ($0, "log")] }) {
            guard let object = try? mirror.recordObject(number, folder: folder) else { continue }
            let records = Record.Halves(object).different.compactMap { Self.record($0, number, state) }
            guard let record = records.first(where: { $0.previous == state.headHash }) else { continue }
            let following = ((try? Self.halves(store, number + 1)) ?? nil)?.different ?? []
            let next = following.compactMap { Self.record($0, number + 1, state) }.first
            if next.map({ $0.previous == record.hash }) ?? true { return (record, mirror.location) }
        }
        return nil
    }

    /// Whether the site has voided the bytes at a number: then nothing takes their place any more, for what was appended
    /// since goes on from that.
    private func isGivenUp(_ number: UInt64, _ object: [UInt8]?, _ state: LogState) throws(Failure) -> Bool {
        guard let object else { return false }
        let hash = Record.hash(ofUnverified: object)
        for later in (number + 1)... {
            do throws(Failure) {
                guard let halves = try Self.halves(store, later) else { return false }
                for record in halves.different.compactMap({ Self.record($0, later, state) }) {
                    if case .site = record.author, record.body == .void(number, hash: hash) { return true }
                }
            } catch {
                guard error.isOfOneObject else { throw error }
            }
        }
        return false
    }

    /// The log ends where a number is not there, unless a listing knows a later one, or a vault that was named goes on:
    /// then a record was lost. A listing decides nothing but to look again.
    ///
    /// Only a record of this log shows that another was lost: who may put objects could put junk under any number, and
    /// keep everybody from appending until the log has got there.
    private func lookBeyondHead() throws(Failure) {
        while true {
            let state = state
            let next = state.head + 1
            guard let after = try? Record.key(next - 1),
                let listed = try? store.list(prefix: "log/", after: after, limit: 10),
                try isRecordMissed(next, listed.map(\.key)) || lend(next, state, among: named) != nil,
                try refresh().head + 1 == next
            else { return }
            try monitor.access { contents throws(Failure) in
                if contents.state.head + 1 == next { try take(.missing, number: next, into: &contents) }
            }
            guard try refresh().head >= next else { return }
        }
    }

    /// Whether one of the keys has an authentic record after `next`, by an author that is not revoked.
    private func isRecordMissed(_ next: UInt64, _ keys: [StoreKey]) throws(Failure) -> Bool {
        let state = state
        for number in keys.compactMap(Record.number) where number > next {
            let halves: Record.Halves?
            do throws(Failure) { halves = try Self.halves(store, number) } catch {
                guard error.isOfOneObject else { throw error }
                continue
            }
            for bytes in halves?.different ?? [] where Self.record(bytes, number, state) != nil {
                if !(Record.certifiedAuthor(bytes).map(state.revoked.contains) ?? false) { return true }
            }
        }
        return false
    }

    /// A log behind the head that was seen here before was rolled back: it is refused until the root accepts a head of
    /// it. Each acceptance serves everybody once: whoever has seen it knows the log from there on.
    private func compareWithLastSeen() throws(Failure) {
        let state = state
        if let seen = try heads.lastSeen(state.vault, at: store.location) {
            guard try goesOn(from: seen) || isInterrupted else {
                throw Failure(
                    .refused,
                    "the log in \(store.location) was rolled back: record \(seen.number) was seen here before and is gone or another",
                    advice:
                        "Nothing was written. The other vault may hold what is missing. If this log is to be taken as "
                        + "it is now, the repository's owner says so with `breakwater repository accept-head`."
                )
            }
        }
        if !isInterrupted, let newest = try heads.newestSeen(state.vault), newest.number > state.head,
            try !goesOn(from: newest)
        {
            monitor.access { $0.newerElsewhere = newest.number }
        }
        try rememberHead(state)
    }

    /// Whether whoever saw that head may take this log for its continuation.
    package func goesOn(from seen: LogHead) throws(Failure) -> Bool {
        try goesBack(to: seen) || !seen.accepted.isSuperset(of: state.acceptedHeads.values)
    }

    private func rememberHead(_ state: LogState) throws(Failure) {
        guard !isInterrupted else { return }
        try heads.remember(LogHead(of: state), of: state.vault, at: store.location)
    }

    // MARK: - Appending

    private static let attempts = 200

    /// Appends what `body` says of the newest state, signed by `key`, and returns the state after it.
    /// - Parameter settles: the record is a checkpoint that decides what nobody can judge.
    /// - Throws: what `body` throws; `.refused` when the record would be void; `.damaged` when the log cannot be
    ///   judged; errors of the store.
    @discardableResult
    package func append(
        as author: Record.Author, _ key: SigningKey, settles: Bool = false, _ body: (LogState) throws -> RecordBody
    ) throws -> LogState {
        for attempt in 0..<Self.attempts {
            let state = try refresh()
            let record = try next(state, author, key, settles, try body(state))
            switch try settle(record) {
            case .won:
                let after = try refresh()
                try rememberHead(after)
                return after
            case .lost:
                let spread = UInt64(Hex.decode(Hex.encode(surroundings.random(1)))?.first ?? 0)
                surroundings.pause((spread + 1) * UInt64(min(attempt + 1, 20)) * 50_000)
            }
        }
        throw Failure(
            .unreachable, "the log in \(store.location) is so busy that \(Self.attempts) attempts to append lost",
            advice: "Nothing was lost; try again.")
    }

    private func next(
        _ state: LogState, _ author: Record.Author, _ key: SigningKey, _ settles: Bool, _ body: RecordBody
    ) throws(Failure) -> Record {
        if let cut = interruption {
            guard cut.isJunk, case .void = body else {
                throw Failure(
                    .damaged,
                    "record \(cut.number) of the log in \(store.location) \(cut.trouble): nothing can be appended after it",
                    advice: "Everything committed before it can be restored. \(whatToDo(cut))")
            }
        }
        if let lost = monitor.access({ $0.borrowed.keys.min() }) {
            throw Failure(
                .damaged, "record \(lost) of the log in \(store.location) is lost or damaged in both halves",
                advice: "Restores work. Nothing is appended until it is put back from the other vault's mirror.")
        }
        // A void says nothing of what cannot be judged, and nothing is settled before it stands.
        guard settles || interruption != nil || state.undecided.isEmpty else {
            throw Failure(
                .damaged,
                "records of the log in \(store.location) cannot be judged: a set or page they name is lost or damaged",
                advice: Settlement.whenUndecided(at: store.location))
        }
        let record = try Record(
            repository: state.repository, vault: state.vault, number: state.head + 1, previous: state.headHash,
            checkpoint: state.checkpoint?.record ?? 0, author: author, body: body, key: key)
        if case .void(let reason) = try state.verdict(on: record, pages: pages) {
            throw Failure(.refused, "a \(body.title) would have no effect: \(reason)")
        }
        return record
    }

    private enum Race { case won, lost }

    /// Puts the record; an unknown outcome is settled by putting it again, which makes it durable if it is there.
    private func settle(_ record: Record) throws(Failure) -> Race {
        let object = Record.object(record.bytes)
        let key = try Record.key(record.number)
        for _ in 0..<20 {
            do throws(Failure) {
                try unsafe store.put(key, object.span.bytes, use: .log)
                return .won
            } catch  where error.code == .unknownOutcome {
                continue
            } catch  where error.code == .exists {
                guard let halves = try Self.halves(store, record.number) else { continue }
                return halves.either == record.bytes ? .won : .lost
            }
        }
        throw Failure(.unreachable, "whether record \(record.number) was appended could not be settled")
    }
}
