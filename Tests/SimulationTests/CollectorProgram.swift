import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// Forgets at random and runs the collector, again and again. What it does to claims is up to the seed: now it waits
/// until a session is still, now it lets go of everything.
struct CollectorProgram {
    let name: String
    /// The last is used to the end; those before it die.
    let stores: [any ObjectStore]
    let harbour: Harbour
    let siteKeys: SharedSiteKeys
    let ledger: Ledger
    let surroundings: Surroundings
    let rounds: Int
    let isGreedy: Bool
    let repacks: Bool
    var seed: Seed
    private let watch = MemoryWatch()

    init(
        name: String, stores: [any ObjectStore], harbour: Harbour, siteKeys: SharedSiteKeys, ledger: Ledger,
        surroundings: Surroundings, rounds: Int, isGreedy: Bool, repacks: Bool, seed: Seed
    ) {
        self.name = name
        self.stores = stores
        self.harbour = harbour
        self.siteKeys = siteKeys
        self.ledger = ledger
        self.surroundings = surroundings
        self.rounds = rounds
        self.isGreedy = isGreedy
        self.repacks = repacks
        self.seed = seed
    }

    /// Goes on until the others have ended, and some rounds more.
    mutating func run() {
        var left = rounds
        var life = 0
        for _ in 0..<1000 where left > 0 {
            if ledger.contents.working == 0 { left -= 1 }
            var own = self
            let isAlive = ledger.persistently(name) { try own.round(own.stores[life]) }
            seed = own.seed
            if !isAlive, life + 1 < stores.count { life += 1 }
        }
    }

    private mutating func round(_ store: any ObjectStore) throws {
        // A collector that never rested would keep the others from their ends.
        let rests = seed.below(3) > 0 && ledger.contents.working > 0
        guard try store.length(of: try Record.key(0)) != nil, !rests,
            let key = try siteKeys.find(for: harbour.bundle.repository, at: store.location)
        else { return }
        let repository = try harbour.open(store, site: key, surroundings: surroundings)
        if ledger.contents.working > 0 { try forget(repository) }
        var options = Collector.Options()
        options.stillness = 0
        options.releasesClaims = seed.below(4) == 0
        options.workers = 1
        options.repackBelow = repacks ? 0.8 : nil
        var collector = Collector(repository, options, watch: watch)
        let report = try collector.run()
        ledger.note {
            $0.condemned += Int(report.condemned.objects)
            $0.deleted += Int(report.deleted.objects)
            $0.released += report.released.count
            $0.repacked += Int(report.repacked.packs)
            $0.problems += report.remaining.map { "\(name): \($0.object.name) could not be deleted: \($0.problem)" }
        }
        try repository.writeCheckpointIfDue(every: 8)
    }

    private mutating func forget(_ repository: Repository) throws {
        let live = repository.log.state.snapshots.filter { !$0.value.isForgotten }
            .sorted { $0.value.record < $1.value.record }.map(\.key)
        // A greedy one lets everything go now and then, so that what others lean on goes, too.
        guard !live.isEmpty, seed.below(isGreedy ? 3 : 5) == 0 else { return }
        let chosen = isGreedy && seed.below(2) == 0 ? live : [live[seed.below(live.count)]]
        ledger.note { $0.forgotten[repository.store.location, default: []].formUnion(chosen) }
        _ = try repository.forget(chosen)
    }
}

/// Remembers sessions as long as the program runs.
final class MemoryWatch: ClaimWatch {
    private let kept = Monitor([VaultID: [ClaimID: Sighting]]())
    func sightings(in vault: VaultID) throws(Failure) -> [ClaimID: Sighting] { kept.access { $0[vault] ?? [:] } }
    func keep(_ sightings: [ClaimID: Sighting], in vault: VaultID) throws(Failure) {
        kept.access { $0[vault] = sightings }
    }
}
