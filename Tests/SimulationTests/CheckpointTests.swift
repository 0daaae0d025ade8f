import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A state survives being written down, and a log opened at its checkpoint says what it says from its genesis.
struct CheckpointTests {
    @Test(arguments: 0..<20) func anyStateReadsBackFromItsBytes(seed: UInt64) throws {
        var sequence = try RecordSequence(seed: seed)
        let genesis = sequence.state
        for step in 0..<150 {
            try sequence.step()
            guard step % 10 == 0 else { continue }
            let bytes = try sequence.state.checkpointBytes()
            let state = try LogState(checkpoint: bytes, genesis: genesis)
            #expect(state == sequence.state, "seed \(seed), step \(step)")
            #expect(try state.checkpointBytes() == bytes)
        }
        #expect(sequence.voids > 0 && sequence.voids < 100)
    }

    @Test func noFlippedByteOfACheckpointIsTakenForTheState() throws {
        var sequence = try RecordSequence(seed: 77)
        let genesis = sequence.state
        for _ in 0..<100 { try sequence.step() }
        let bytes = try sequence.state.checkpointBytes()
        for place in stride(from: 0, to: bytes.count, by: 11) {
            var wrong = bytes
            wrong[place] ^= 1
            let read = try? LogState(checkpoint: wrong, genesis: genesis)
            #expect(read != sequence.state)
        }
    }

    /// A log of that many claims and releases, with checkpoints.
    private func longLog(_ count: Int, checkpointEvery interval: UInt64) throws -> (Harbour, StrictStore) {
        let store = StrictStore()
        let harbour = try Harbour(seed: 5)
        try harbour.make(in: store)
        let repository = try harbour.open(store)
        for number in 0..<count {
            let claim = try repository.claim(.session(.random(harbour.surroundings)))
            if number % 3 > 0 { try repository.release(claim) }
            try repository.writeCheckpointIfDue(every: interval)
        }
        return (harbour, store)
    }

    /// What all records say, read one after another.
    private func replay(_ store: any ObjectStore) throws -> LogState {
        func record(_ number: UInt64, _ state: LogState?) throws -> Record? {
            guard let object = try? store.get(try Record.key(number), atMost: Record.largestObject),
                let bytes = Record.Halves(object).either
            else { return nil }
            let identity = try Record.identity(bytes)
            return try Record(
                bytes, repository: identity.repository, vault: state?.vault, number: number, site: state?.site,
                root: state?.charter.root)
        }
        var state = try LogState(genesis: try #require(try record(0, nil)))
        while let next = try record(state.head + 1, state) { try state.apply(next, pages: ObjectReader(store)) }
        return state
    }

    @Test func aLogOpenedAtItsCheckpointSaysTheSameAndReadsLittle() throws {
        let (harbour, store) = try longLog(400, checkpointEvery: 256)
        let before = store.counts.gets
        let opened = try harbour.open(store, .keyless)
        #expect(store.counts.gets - before < 400)
        #expect(opened.log.state == (try replay(store)))
        #expect(opened.log.state.checkpoint != nil)
        #expect(opened.log.state.head > 600)
    }

    @Test func aDamagedCheckpointIsPassedOver() throws {
        let (harbour, store) = try longLog(200, checkpointEvery: 100)
        let whole = try replay(store)
        for key in store.keys where key.hasPrefix("checkpoints/") { store.alter(key) { $0[$0.count / 2] ^= 4 } }
        #expect(try harbour.open(store, .keyless).log.state == whole)
        for key in store.keys where key.hasPrefix("checkpoints/") { store.lose(key) }
        #expect(try harbour.open(store, .keyless).log.state == whole)
    }

    @Test func aCheckpointOfAnotherStateIsPassedOver() throws {
        let (harbour, store) = try longLog(150, checkpointEvery: 1000)
        // A site gone wrong writes a state that is not the one after the record it names.
        let repository = try harbour.open(store)
        var bytes = try repository.log.state.checkpointBytes()
        bytes[bytes.count - 3] ^= 1
        let reference = try Repository.put(bytes, as: .checkpoint, session: .random(harbour.surroundings), store)
        try repository.appendAsSite { .checkpoint(reference.name, state: $0.head - 3) }
        _ = try repository.claim(.session(.random(harbour.surroundings)))
        #expect(try harbour.open(store, .keyless).log.state == (try replay(store)))
    }

    @Test func aHeadSeenBeforeTheCheckpointIsKnownAgainAndAForgedOneIsNot() throws {
        let (harbour, store) = try longLog(200, checkpointEvery: 100)
        let object = try store.get(try Record.key(40), atMost: Record.largestObject)
        let bytes = try #require(Record.Halves(object).either)
        let identity = try Record.identity(bytes)
        let state = try harbour.open(store, .keyless).log.state
        let record = try Record(
            bytes, repository: identity.repository, vault: identity.vault, number: 40, site: state.site,
            root: state.charter.root)
        let known = LogHead(number: 40, hash: record.hash)
        _ = try harbour.open(store, .keyless, heads: OneHead(known))
        let other = LogHead(number: 40, hash: state.headHash)
        #expect(throws: Failure(.refused, "")) { try harbour.open(store, .keyless, heads: OneHead(other)) }
        let beyond = LogHead(number: state.head + 1, hash: state.headHash)
        #expect(throws: Failure(.refused, "")) { try harbour.open(store, .keyless, heads: OneHead(beyond)) }
    }

    @Test func whatIsCondemnedClosesItsSession() throws {
        // Committed, forgotten, condemned, collected: the same session may not put the name again, where a late
        // delete would meet it.
        var sequence = try RecordSequence(seed: 3)
        let session = SessionID.random(.seeded(9))
        #expect(try sequence.append(try sequence.commit(session: session, native: false)) == .effective)
        let snapshot = try #require(sequence.state.snapshots.keys.first)
        let pack = try #require(sequence.state.objects.first { $0.key.kind == .pack })
        let reference = ObjectRef(name: pack.key, length: pack.value.length)
        try sequence.append(.forget([snapshot]))
        try sequence.append(.condemn(.inline([reference]), counted: sequence.state.head))
        #expect(try sequence.append(.collected(.inline([reference]))) == .effective)
        let again = try sequence.commit(session: session, native: false, extra: [reference])
        #expect(try sequence.append(again) != .effective)
    }

    @Test func theLastCheckpointIsNotCondemned() throws {
        var sequence = try RecordSequence(seed: 4)
        let name = sequence.name(.checkpoint, .random(.seeded(1)))
        let listing = Listing.inline([ObjectRef(name: name, length: 1)])
        let first = ClaimID.random(.seeded(6))
        try sequence.append(.claim(first, .session(.random(.seeded(7)))))
        try sequence.append(.release(first))
        #expect(try sequence.append(.checkpoint(name, state: 1)) == .effective)
        #expect(try sequence.append(.condemn(listing, counted: 1)) != .effective)
        let next = sequence.name(.checkpoint, .random(.seeded(2)))
        #expect(try sequence.append(.checkpoint(next, state: 2)) == .effective)
        #expect(try sequence.append(.condemn(listing, counted: 2)) == .effective)
    }

    @Test func aCheckpointThatWasCondemnedBeforeItWasNamedIsVoid() throws {
        var sequence = try RecordSequence(seed: 6)
        let name = sequence.name(.checkpoint, .random(.seeded(3)))
        #expect(try sequence.append(.condemn(.inline([ObjectRef(name: name, length: 1)]), counted: 0)) == .effective)
        #expect(try sequence.append(.checkpoint(name, state: 1)) != .effective)
    }
}

private struct OneHead: HeadMemory {
    let head: LogHead
    init(_ head: LogHead) { self.head = head }
    func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? { head }
    func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {}
}
