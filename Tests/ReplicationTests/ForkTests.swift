import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Testing

/// A log that lost its end and went on: what the copy's mirror has of the other branch is named, can be had, and is
/// merged into nothing.
struct ForkTests {
    /// Snapshots of the origin before the loss, lost, and after it.
    private struct Forked {
        let pair: Pair
        var kept: Digest
        var lost: Digest
        var content: [UInt8]
        var later: Digest
        /// The first record that is lost.
        var first: UInt64
    }

    /// - Parameter isCopied: whether the snapshot was copied, and not its record alone.
    private func forked(seed: UInt64, isCopied: Bool = true) throws -> Forked {
        let pair = try Pair(seed: seed)
        try pair.siteKeys.take(pair.site, at: "origin")
        let kept = try pair.backUp(pair.surroundings.random(100_000))
        _ = try pair.replicator().run()
        let first = try pair.open(pair.origin).log.state.head + 1
        let content = pair.surroundings.random(600_000)
        let lost = try pair.backUp(content)
        let end = try pair.open(pair.origin).log.state.head
        if isCopied {
            _ = try pair.replicator().run()
        } else {
            #expect(throws: Failure(.cancelled, "")) { try pair.replicator().run(isCancelled: { true }) }
        }
        for number in first...end { pair.origin.forget(try Record.key(number).text) }
        let later = try pair.backUp(pair.surroundings.random(100_000))
        return Forked(pair: pair, kept: kept, lost: lost, content: content, later: later, first: first)
    }

    private func open(_ pair: Pair, also others: [Repository] = []) throws -> Repository {
        try Repository.open(
            pair.origin, .passphrase(pair.passphrase), heads: NoHeadMemory(), surroundings: pair.surroundings,
            also: others)
    }

    private func keyless(_ store: any ObjectStore, _ pair: Pair) throws -> Repository {
        try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: pair.surroundings)
    }

    private func copyBack(_ pair: Pair) throws -> CopyReport {
        try Replicator(
            from: pair.copy, to: pair.origin, siteKeys: pair.siteKeys, heads: NoHeadMemory(),
            surroundings: pair.surroundings
        ).run()
    }

    @Test func itIsNamedWithWhatCanBeHad() throws {
        let forked = try forked(seed: 30)
        let pair = forked.pair
        let before = pair.origin.keys
        let repository = try open(pair, also: [try keyless(pair.copy, pair)])
        let fork = try #require(try repository.forks().first)
        #expect(try repository.forks().count == 1)
        #expect(fork.first == forked.first && fork.records == 2 && fork.location == "copy" && !fork.isAccepted)
        #expect(fork.snapshots.map(\.id) == [forked.lost] && fork.snapshots.allSatisfy(\.isThere))
        let key = try Record.key(forked.first).text
        let report = try Checker.check(repository)
        #expect(report.findings.map(\.object) == [key] && report.findings[0].damage == .forked)
        #expect(report.snapshotsTouched == [forked.lost] && report.findings[0].recovery == .otherVault("copy"))
        // Without the copy nothing is known of it.
        #expect(try Checker.check(try open(pair)).isClean)
        var repairer = Repairer(
            pair.origin, .passphrase(pair.passphrase), from: [try keyless(pair.copy, pair)], heads: NoHeadMemory(),
            surroundings: pair.surroundings)
        let repaired = try repairer.run()
        #expect(repaired.left.map(\.object) == [key] && repaired.healed.isEmpty && repaired.forks == [fork])
        #expect(pair.origin.keys == before)
    }

    @Test func whatIsLostIsCopiedBackAndTheOwnerSettlesIt() throws {
        let forked = try forked(seed: 31)
        let pair = forked.pair
        #expect(throws: Failure(.refused, "")) { try pair.replicator().run() }
        #expect(try copyBack(pair).copied == [forked.lost])
        #expect(try pair.content(of: forked.lost, in: pair.origin) == forked.content)
        // Both have the same place in the desktop's order: what was brought back is not the latest.
        #expect(try open(pair).findSnapshot("latest:desk").id == forked.later)
        let repository = try open(pair, also: [try keyless(pair.copy, pair)])
        #expect(Set(repository.log.state.snapshots.keys) == [forked.kept, forked.lost, forked.later])
        #expect(try repository.forks().map(\.snapshots) == [[]])
        // Copies from here are refused until the owner takes the log as it is; then everything is copied.
        let forgetful = Replicator(
            from: pair.origin, to: pair.copy, siteKeys: pair.siteKeys, heads: NoHeadMemory(),
            surroundings: pair.surroundings)
        #expect(throws: Failure(.refused, "")) { try forgetful.run() }
        try repository.accept(LogHead(of: repository.log.state))
        #expect(try repository.forks().map(\.isAccepted) == [true])
        #expect(try Checker.check(repository).isClean)
        #expect(try forgetful.run().copied == [forked.later])
        // The mirror is the accepted log now: it brings back what that loses, and calls nothing else a fork.
        #expect(try open(pair, also: [try keyless(pair.copy, pair)]).forks() == [])
        let head = try open(pair).log.state.head
        pair.origin.forget(try Record.key(head).text)
        pair.origin.forget(try Record.key(head - 1).text)
        let whole = try open(pair, also: [try keyless(pair.copy, pair)])
        #expect(whole.log.state.head == head && whole.log.interruption == nil)
        var repairer = Repairer(
            pair.origin, .passphrase(pair.passphrase), from: [try keyless(pair.copy, pair)], heads: NoHeadMemory(),
            surroundings: pair.surroundings)
        #expect(try repairer.run().left.isEmpty)
        #expect(try open(pair).log.state.head == head)
        // The desktop goes on from its newest.
        let next = try pair.backUp(pair.surroundings.random(50_000))
        #expect(try forgetful.run().copied == [next])
    }

    /// The mirror is of the branch that was left until the accepted one is as long; what was copied since tells.
    @Test func aVaultThatWentBackToABranchThatWasLeftIsNamed() throws {
        let pair = try Pair(seed: 35)
        try pair.siteKeys.take(pair.site, at: "origin")
        let kept = try pair.backUp(pair.surroundings.random(50_000))
        let forgetful = Replicator(
            from: pair.origin, to: pair.copy, siteKeys: pair.siteKeys, heads: NoHeadMemory(),
            surroundings: pair.surroundings)
        #expect(try forgetful.run().copied == [kept])
        let first = try pair.open(pair.origin).log.state.head + 1
        for _ in 0..<3 { try pair.backUp(pair.surroundings.random(50_000)) }
        let end = try pair.open(pair.origin).log.state.head
        #expect(try forgetful.run().copied.count == 3)
        let left = pair.origin.copy()
        for number in first...end { pair.origin.forget(try Record.key(number).text) }
        let later = try pair.backUp(pair.surroundings.random(50_000))
        let owner = try open(pair)
        try owner.accept(LogHead(of: owner.log.state))
        #expect(try owner.log.refresh().head < end)
        #expect(try forgetful.run().copied == [later])
        let copy = try keyless(pair.copy, pair)
        #expect(try open(pair, also: [copy]).forks().allSatisfy { $0.isMirrored && $0.isAccepted })

        func leftBranch() throws -> Repository {
            try Repository.open(
                left, .passphrase(pair.passphrase), heads: NoHeadMemory(), surroundings: pair.surroundings,
                also: [copy])
        }
        let fork = try #require(try leftBranch().forks().first)
        #expect(!fork.isMirrored && !fork.isAccepted && fork.records == 1 && fork.first > first)
        #expect(fork.snapshots.map(\.id) == [later] && fork.snapshots.allSatisfy(\.isThere))
        let key = try Record.key(fork.first).text
        let report = try Checker.check(try leftBranch())
        #expect(report.findings.map(\.object) == [key] && report.findings[0].damage == .forked)
        var repairer = Repairer(
            left, .passphrase(pair.passphrase), from: [copy], heads: NoHeadMemory(), surroundings: pair.surroundings)
        #expect(try repairer.run().left.map(\.object) == [key])
        // Its owner may take that one after all.
        let again = try leftBranch()
        try again.accept(LogHead(of: again.log.state))
        #expect(try leftBranch().forks().map(\.isAccepted) == [true])
        #expect(try Checker.check(try leftBranch()).isClean)
    }

    /// Its mirror is of the accepted branch by then; what was copied last still is of the other.
    @Test func anAcceptedBranchOfWhichNothingWasCopiedYetStaysAccepted() throws {
        let pair = try Pair(seed: 36)
        try pair.siteKeys.take(pair.site, at: "origin")
        try pair.backUp(pair.surroundings.random(50_000))
        let forgetful = Replicator(
            from: pair.origin, to: pair.copy, siteKeys: pair.siteKeys, heads: NoHeadMemory(),
            surroundings: pair.surroundings)
        _ = try forgetful.run()
        let first = try pair.open(pair.origin).log.state.head + 1
        try pair.backUp(pair.surroundings.random(50_000))
        let end = try pair.open(pair.origin).log.state.head
        _ = try forgetful.run()
        for number in first...end { pair.origin.forget(try Record.key(number).text) }
        let owner = try open(pair)
        try owner.accept(LogHead(of: owner.log.state))
        for _ in 0..<3 { try owner.release(try owner.claim(.session(.random(pair.surroundings)))) }
        #expect(try forgetful.run().copied == [])
        let repository = try open(pair, also: [try keyless(pair.copy, pair)])
        #expect(try repository.forks().map(\.isAccepted) == [true])
        #expect(try Checker.check(repository).isClean)
        let next = try pair.backUp(pair.surroundings.random(50_000))
        #expect(try forgetful.run().copied == [next])
        #expect(try open(pair, also: [try keyless(pair.copy, pair)]).forks() == [])
    }

    @Test func whichOfTwoBranchesIsTheLatestIsNotGuessed() throws {
        let pair = try Pair(seed: 34)
        try pair.siteKeys.take(pair.site, at: "origin")
        try pair.backUp([1])
        _ = try pair.replicator().run()
        let first = try pair.open(pair.origin).log.state.head + 1
        try pair.backUp([2])
        try pair.backUp([3])
        let end = try pair.open(pair.origin).log.state.head
        _ = try pair.replicator().run()
        for number in first...end { pair.origin.forget(try Record.key(number).text) }
        let later = try pair.backUp([4])
        #expect(try open(pair).findSnapshot("latest:desk").id == later)
        #expect(try copyBack(pair).copied.count == 2)
        #expect(throws: Failure(.refused, "")) { try open(pair).findSnapshot("latest:desk") }
        let next = try pair.backUp([5])
        #expect(try open(pair).findSnapshot("latest:desk").id == next)
    }

    /// The copy had mirrored the record, and had not come to the snapshot.
    @Test func ofWhatNoVaultHasItIsSaidWhatIsLeft() throws {
        let forked = try forked(seed: 32, isCopied: false)
        let pair = forked.pair
        let repository = try open(pair, also: [try keyless(pair.copy, pair)])
        let snapshot = try #require(try repository.forks().first?.snapshots.first)
        #expect(snapshot.id == forked.lost && !snapshot.isThere)
        let packs = try #require(snapshot.packs)
        #expect(packs > 1 && snapshot.packsFound == packs)
        #expect(try Checker.check(repository).findings.map(\.recovery) == [.none])
        for key in pair.origin.keys where key.hasPrefix("packs/") { pair.origin.lose(key) }
        #expect(try repository.forks().first?.snapshots.first?.packsFound == 0)
    }

    @Test func whatIsNoForkIsNotCalledOne() throws {
        let pair = try Pair(seed: 33)
        try pair.backUp(pair.surroundings.random(50_000))
        _ = try pair.replicator().run()
        try pair.backUp(pair.surroundings.random(50_000))
        #expect(try open(pair, also: [try keyless(pair.copy, pair)]).forks() == [])
        _ = try pair.replicator().run()
        // A record that is lost is no fork, nor is one that is lost in the mirror, nor junk in it.
        pair.origin.forget(try Record.key(2).text)
        for (number, key) in pair.copy.keys.filter({ $0.hasPrefix("origins/") }).suffix(2).enumerated() {
            if number == 0 { pair.copy.lose(key) } else { pair.copy.alter(key) { $0 = [1, 2, 3] } }
        }
        let far = try #require(StoreKey("origins/\(try open(pair).vault)/log/9000000000000000"))
        try pair.copy.put(far, [4, 5, 6], use: .log)
        #expect(try open(pair, also: [try keyless(pair.copy, pair)]).forks() == [])
    }
}
