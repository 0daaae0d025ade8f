import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Testing

/// Vaults that repacked, each for the snapshots that it has, copy to one another without holes.
struct RepackedCopyTests {
    let pair: Pair
    let dead: [UInt8]
    let shared: [UInt8]

    init() throws {
        pair = try Pair(seed: 31, cut: .init(minimum: 256, average: 1024, maximum: 4096))
        dead = pair.surroundings.random(700_000)
        shared = pair.surroundings.random(150_000)
    }

    private func repack(_ store: any ObjectStore) throws {
        let keys = try pair.open(store).keys.site
        let site = try pair.siteKeys.find(for: pair.bundle.repository, at: store.location) ?? keys
        let repository = try Repository.open(
            store, .passphrase(pair.passphrase), site: site, heads: NoHeadMemory(), surroundings: pair.surroundings)
        var options = Collector.Options()
        options.repackBelow = 0.6
        options.releasesClaims = true
        var collector = Collector(repository, options)
        let report = try collector.run()
        #expect(report.repacked.packs > 0 && report.repacked.postponed == nil)
    }

    private func forget(_ snapshots: [Digest], in store: any ObjectStore) throws {
        let site = try pair.siteKeys.find(for: pair.bundle.repository, at: store.location)
        let repository = try Repository.open(
            store, .passphrase(pair.passphrase), site: site, heads: NoHeadMemory(), surroundings: pair.surroundings)
        _ = try repository.forget(snapshots)
    }

    /// Two snapshots that both vaults have; one vault forgets the first, and repacks.
    /// - Returns: the second.
    private func repackCopied(in store: any ObjectStore) throws -> Digest {
        let first = try pair.backUp(dead + shared)
        let second = try pair.backUp(shared)
        _ = try pair.replicator().run()
        try forget([first], in: store)
        try repack(store)
        return second
    }

    @Test func aRepackedOriginIsCopiedWithItsMoves() throws {
        let first = try pair.backUp(dead + shared)
        let second = try pair.backUp(shared)
        try forget([first], in: pair.origin)
        try repack(pair.origin)
        #expect(try pair.replicator().run().copied == [second])
        #expect(try pair.content(of: second, in: pair.copy) == shared)
    }

    /// What the destination's log holds and its store has lost is brought again, and heals what was there.
    @Test func anEnvelopeThatTheDestinationLostIsBroughtAgain() throws {
        let first = try pair.backUp(dead + shared)
        _ = try pair.replicator().run()
        for key in pair.copy.keys where key.hasPrefix("envelopes/") { pair.copy.alter(key) { $0[$0.count / 2] ^= 1 } }
        let second = try pair.backUp(dead + shared)
        #expect(try pair.replicator().run().copied == [second])
        #expect(try pair.content(of: second, in: pair.copy) == dead + shared)
        #expect(try pair.content(of: first, in: pair.copy) == dead + shared)
    }

    /// The destination moved what its own snapshots need; a snapshot that comes later needs more of the same pack.
    @Test func whatTheDestinationLeftOutComesAgain() throws {
        let second = try repackCopied(in: pair.copy)
        let third = try pair.backUp(dead)
        let report = try pair.replicator().run()
        #expect(report.copied == [third] && report.packs > 0)
        #expect(try pair.content(of: third, in: pair.copy) == dead)
        #expect(try pair.content(of: second, in: pair.copy) == shared)
    }

    /// A repacked pack was lost and made anew from the copy, which then takes a snapshot that names the lost one.
    @Test func whatWasMadeAnewFromTheCopyIsCopiedToIt() throws {
        let second = try repackCopied(in: pair.origin)
        let third = try pair.backUp(shared + dead.prefix(1000))
        let moved = try pair.open(pair.origin).log.state.moved.values
        let pack = try #require(moved.first?.objects.first?.name)
        pair.origin.lose(pack.path)
        let site = try pair.siteKeys.find(for: pair.bundle.repository, at: pair.origin.location)
        var repairer = Repairer(
            pair.origin, .passphrase(pair.passphrase), from: [try pair.open(pair.copy)], site: site,
            heads: NoHeadMemory(), surroundings: pair.surroundings)
        #expect(try repairer.run().healed.map(\.object) == [pack.path])
        #expect(try pair.content(of: third, in: pair.origin) == shared + dead.prefix(1000))
        #expect(try pair.replicator().run().copied == [third])
        #expect(try pair.content(of: third, in: pair.copy) == shared + dead.prefix(1000))
        #expect(try pair.content(of: second, in: pair.copy) == shared)
    }

    /// Both moved the same pack, each leaving out what the other keeps.
    @Test func bothVaultsMovedTheSamePack() throws {
        // In the pack in which what is shared begins.
        let piece = Array(dead[560_000..<620_000])
        let first = try pair.backUp(dead + shared)
        let second = try pair.backUp(shared)
        _ = try pair.replicator().run()
        let third = try pair.backUp(piece)
        try forget([first], in: pair.copy)
        try repack(pair.copy)
        try forget([first, second], in: pair.origin)
        try repack(pair.origin)
        #expect(try pair.replicator().run().copied == [third])
        #expect(try pair.content(of: third, in: pair.copy) == piece)
        #expect(try pair.content(of: second, in: pair.copy) == shared)
    }
}
