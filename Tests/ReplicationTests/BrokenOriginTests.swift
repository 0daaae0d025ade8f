import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Testing

/// An origin whose log is interrupted, or went back, and what its root said of its writers.
struct BrokenOriginTests {
    @Test(arguments: [true, false]) func anInterruptedOriginIsCopiedAsFarAsItGoes(isGone: Bool) throws {
        let pair = try Pair(seed: 20)
        let first = try pair.backUp(pair.surroundings.random(100_000))
        let second = try pair.backUp(pair.surroundings.random(100_000))
        // Records 1 and 2 are the first backup, 3 and 4 the second.
        let key = try Record.key(3).text
        let whole = try pair.bytes(pair.origin, key)
        if isGone { pair.origin.lose(key) } else { pair.origin.alter(key) { $0 = [1, 2, 3] } }
        let report = try pair.replicator().run()
        #expect(report.copied == [first] && report.shortfall?.code == .partial)
        #expect(report.shortfall?.what.contains("record 3 ") == true)
        #expect(!pair.copy.keys.contains { $0.hasPrefix("origins/") && $0.hasSuffix("3") })
        // Healed, the rest comes, and the mirror is whole.
        if isGone {
            pair.origin.forget(key)
            try pair.origin.put(try #require(StoreKey(key)), whole, use: .log)
        } else {
            pair.origin.alter(key) { $0 = whole }
        }
        let again = try pair.replicator().run()
        #expect(again.copied == [second] && again.shortfall == nil)
        #expect(pair.copy.keys.count { $0.hasPrefix("origins/") } == pair.origin.keys.count { $0.hasPrefix("log/") })
    }

    @Test(arguments: [true, false]) func aRecordLostSinceItWasMirroredIsReadFromTheMirror(isGone: Bool) throws {
        let pair = try Pair(seed: 21)
        try pair.backUp(pair.surroundings.random(100_000))
        _ = try pair.replicator().run()
        let second = try pair.backUp(pair.surroundings.random(100_000))
        for number in [UInt64(0), 2] {
            let key = try Record.key(number).text
            if isGone { pair.origin.lose(key) } else { pair.origin.alter(key) { $0 = [1, 2, 3] } }
        }
        let report = try pair.replicator().run()
        #expect(report.copied == [second] && report.shortfall == nil && report.recordsLost == [0, 2])
    }

    @Test func anInterruptionBehindWhatWasMirroredIsNoRollBack() throws {
        let pair = try Pair(seed: 22)
        try pair.backUp(pair.surroundings.random(100_000))
        try pair.backUp(pair.surroundings.random(100_000))
        _ = try pair.replicator().run()
        // The mirror has lost the record as well.
        pair.origin.alter(try Record.key(3).text) { $0 = [1, 2, 3] }
        for key in pair.copy.keys where key.hasPrefix("origins/") && key.hasSuffix("3") { pair.copy.lose(key) }
        let report = try pair.replicator().run()
        #expect(report.copied.isEmpty && report.alreadyThere == 1 && report.shortfall?.code == .partial)
    }

    @Test func anOriginThatWasRolledBackIsCopiedOnceItsHeadIsAccepted() throws {
        let pair = try Pair(seed: 23)
        try pair.backUp(pair.surroundings.random(100_000))
        let old = pair.origin.copy()
        try pair.backUp(pair.surroundings.random(100_000))
        _ = try pair.replicator().run()
        #expect(throws: Failure(.refused, "")) { try pair.replicator(from: old).run() }
        let owner = try pair.open(old)
        try owner.accept(LogHead(of: owner.log.state))
        let id = try pair.backUp(pair.surroundings.random(100_000), in: old)
        let report = try pair.replicator(from: old).run()
        #expect(report.copied == [id] && report.shortfall == nil)
    }

    // MARK: - Writers

    /// Nobody but the mirrored origin knows who wrote what a site copied.
    @Test(arguments: [false, true]) func packsOfARevokedWriterAreNotLeantOnInTheCopy(isMirrorLost: Bool) throws {
        let pair = try Pair(seed: 24)
        let content = pair.surroundings.random(400_000)
        let mallory = try pair.open(pair.origin)
        try pair.backUp(content, name: "stolen", as: mallory)
        let honest = pair.surroundings.random(400_000)
        try pair.backUp(honest, name: "honest")
        _ = try pair.replicator().run()
        #expect(try pair.newBytes(of: content, in: pair.copy) == 0)

        guard case .certificate(let certificate) = try #require(mallory.keys.author).certificate.content else {
            throw Failure(.failed, "no certificate")
        }
        let statement = try Statement(.revoke([certificate.author]), of: pair.bundle.repository, root: pair.bundle.root)
        try pair.open(pair.origin).appendAsSite { _ in .statement(statement) }
        _ = try pair.replicator().run()
        #expect(try pair.open(pair.copy).log.state.revoked == [certificate.author])
        if isMirrorLost { for key in pair.copy.keys where key.hasPrefix("origins/") { pair.copy.lose(key) } }
        #expect(try pair.newBytes(of: content, in: pair.copy) > 390_000)
        #expect(try pair.newBytes(of: honest, in: pair.copy) == 0)
        // Who signed what is not even in its manifest any more: it is not leaned on.
        for key in pair.copy.keys where key.hasPrefix("origins/") || key.hasPrefix("manifests/") { pair.copy.lose(key) }
        #expect(try pair.newBytes(of: honest, in: pair.copy) > 390_000)
    }
}

extension Pair {
    /// What a backup of `content` would store anew; it is given up.
    fileprivate func newBytes(of content: [UInt8], in store: StrictStore) throws -> UInt64 {
        let session = try open(store).beginBackup()
        var writer = session.makeContentWriter(.data)
        try writer.append(content)
        _ = try writer.finish()
        try session.abandon()
        return session.counters.newBytes
    }

    fileprivate func backUp(_ content: [UInt8], name: String, as repository: Repository) throws {
        let session = try repository.beginBackup()
        var writer = session.makeContentWriter(.data)
        try writer.append(content)
        let reference = try writer.finish()
        _ = try session.commit(
            .init(
                name: name, time: surroundings.now(), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
    }
}
