import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support

/// One run of everybody against one repository in two vaults, out of one seed.
struct Voyage {
    let seed: UInt64
    let origin: Sea
    let copy: Sea
    let ledger = Ledger()
    let harbour: Harbour
    let siteKeys: SharedSiteKeys
    let turns: Interleaving
    private(set) var complaints: [String] = []

    init(seed: UInt64) throws {
        self.seed = seed
        harbour = try Harbour(seed: seed)
        origin = Sea("origin", seed: seed ^ 0xA11CE, lateness: 120)
        copy = Sea("copy", seed: seed ^ 0xB0B, lateness: 120)
        siteKeys = SharedSiteKeys(harbour.surroundings)
        turns = Interleaving(seed: seed, programs: 6)
        try harbour.make(in: TurnStore(origin))
        siteKeys.keep(harbour.site, at: origin.location)
    }

    mutating func run() throws {
        var blocksOfAll = Seed(seed &+ 1000)
        let blocks = (0..<4).map { _ in blocksOfAll.bytes(6000) }
        let programs = (0..<6).map { program(number: $0, blocks: blocks) }
        let turns = turns
        try Workers.concurrently(programs.count) { number in
            programs[number]()
            turns.end(number)
        }
        try inspect()
    }

    private func program(number: Int, blocks: [[UInt8]]) -> @Sendable () -> Void {
        let own = seed &* 31 &+ UInt64(number)
        let surroundings = Surroundings.seeded(own)
        var dice = Seed(own)
        // Every third run a writer dies in the middle.
        let dies = number == 1 && seed % 3 == 0 ? 20 + dice.below(150) : nil
        func store(_ sea: Sea, dies: Int? = nil) -> any ObjectStore {
            FaultyStore(TurnStore(sea, turns, program: number), seed: own ^ UInt64(sea.location.utf8.count)) {
                $0.lostAcknowledgements = 15
                $0.refusals = 5
                $0.crashAfter = dies
                $0.crashingCallIsDone = seed % 2 == 0
            }
        }
        let (harbour, ledger, siteKeys) = (harbour, ledger, siteKeys)
        switch number {
        case 0, 1:
            let writer = WriterProgram(
                name: "writer \(number)", store: store(origin, dies: dies), harbour: harbour, ledger: ledger,
                surroundings: surroundings, rounds: 4, seed: dice, blocks: blocks)
            return {
                var writer = writer
                writer.run()
            }
        case 2:
            let copier = CopierProgram(
                name: "copier", origin: store(origin), copy: store(copy), siteKeys: siteKeys, ledger: ledger,
                surroundings: surroundings, rounds: 6)
            return { copier.run() }
        case 3, 4:
            let sea = number == 3 ? origin : copy
            // Collectors die at any call, and another takes over.
            let lives = (0..<3).map { _ in store(sea, dies: 10 + dice.below(120)) } + [store(sea)]
            let collector = CollectorProgram(
                name: "collector \(number)", stores: lives, harbour: harbour, siteKeys: siteKeys, ledger: ledger,
                surroundings: surroundings, rounds: 2, isGreedy: seed % 3 == 1,
                repacks: seed % 2 == 0, seed: dice)
            return {
                var collector = collector
                collector.run()
            }
        default:
            let restorer = RestorerProgram(
                name: "restorer", stores: [store(origin), store(copy)], harbour: harbour, siteKeys: siteKeys,
                ledger: ledger, surroundings: surroundings, seed: dice)
            return {
                var restorer = restorer
                restorer.run()
            }
        }
    }

    // MARK: - When everybody has ended

    private mutating func inspect() throws {
        let (originStore, copyStore) = (TurnStore(origin), TurnStore(copy))
        complaints += ledger.contents.problems
        // The late mail is delivered by now; a quiet copy fills what is left.
        let last = try Replicator(
            from: originStore, to: copyStore, siteKeys: siteKeys, heads: NoHeadMemory(),
            surroundings: harbour.surroundings
        ).run()
        if let shortfall = last.shortfall { complaints.append("the last copy: \(shortfall)") }
        let there = try readBack(originStore)
        let here = try readBack(copyStore)
        let said = ledger.contents
        let lost = said.committed.subtracting(said.forgotten["origin"] ?? []).subtracting(there)
        if !lost.isEmpty { complaints.append("\(lost.count) committed snapshots are not at the origin") }
        let missing = there.subtracting(said.forgotten["copy"] ?? []).subtracting(here)
        if !missing.isEmpty { complaints.append("\(missing.count) snapshots are not in the copy") }
    }

    /// Every snapshot not forgotten, bit for bit.
    private mutating func readBack(_ store: TurnStore) throws -> Set<Digest> {
        let repository = try harbour.open(
            store, site: try siteKeys.find(for: harbour.bundle.repository, at: store.location))
        let place = store.location
        if !repository.log.state.undecided.isEmpty { complaints.append("\(place): nobody can append any more") }
        for finding in repository.log.findings {
            complaints.append("\(place): record \(finding.number) \(finding.kind)")
        }
        let (snapshots, damaged) = try repository.snapshots()
        for (id, problem) in damaged { complaints.append("\(place): snapshot \(id) cannot be opened: \(problem)") }
        for snapshot in snapshots {
            do {
                let reader = try SnapshotReader(repository, snapshot)
                guard case .machine(let reference) = snapshot.part.streams[0].content else { continue }
                var read: [UInt8] = []
                try reader.forEachChunk(of: reference) { chunk, _ in read += try reader.read(chunk.id) }
                if read != ledger.contents.contents[snapshot.part.host] {
                    complaints.append("\(place): snapshot \(snapshot.part.host) reads back otherwise")
                }
            } catch { complaints.append("\(place): snapshot \(snapshot.part.host): \(error)") }
        }
        return Set(snapshots.map(\.id))
    }
}
