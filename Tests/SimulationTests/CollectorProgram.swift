import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// Forgets at random and runs the collector, again and again. What it does to claims is up to the seed: now it waits
/// until a session is still by a clock that jumps, now it lets go of everything.
struct CollectorProgram {
    let berth: Berth
    /// The last is used to the end; those before it die.
    let stores: [any ObjectStore]
    let rounds: Int
    let isGreedy: Bool
    let repacks: Bool
    let stillness: Int64
    var seed: Seed
    private let watch = MemoryWatch()

    init(
        berth: Berth, stores: [any ObjectStore], rounds: Int, isGreedy: Bool, repacks: Bool, stillness: Int64,
        seed: Seed
    ) {
        self.berth = berth
        self.stores = stores
        self.rounds = rounds
        self.isGreedy = isGreedy
        self.repacks = repacks
        self.stillness = stillness
        self.seed = seed
    }

    /// Goes on until the others have ended, and some rounds more.
    mutating func run() {
        var left = rounds
        var life = 0
        for _ in 0..<1000 where left > 0 {
            // A collector that never rested would keep the others from their ends.
            berth.turns.rest(berth.number, calls: seed.below(400))
            if berth.ledger.contents.working == 0 { left -= 1 }
            var own = self
            let outcome = berth.persistently { try own.round(own.stores[life]) }
            seed = own.seed
            if outcome == .died, life + 1 < stores.count { life += 1 }
        }
    }

    private mutating func round(_ store: any ObjectStore) throws {
        let ledger = berth.ledger
        guard try store.length(of: try Record.key(0)) != nil,
            let key = berth.siteKeys.find(at: store.location)
        else { return }
        let repository = try open(store, key)
        if ledger.contents.working > 0, repository.keys.secret != nil { try forget(repository) }
        var options = Collector.Options()
        options.stillness = stillness
        options.releasesClaims = seed.below(4) == 0
        options.workers = 1
        options.repackBelow = repacks && !repository.keys.readers.isEmpty ? 0.8 : nil
        var collector = Collector(repository, options, watch: watch)
        let report = try collector.run()
        ledger.count(.condemned, Int(report.condemned.objects))
        ledger.count(.deleted, Int(report.deleted.objects))
        ledger.count(.released, report.released.count)
        ledger.count(.repacked, Int(report.repacked.packs))
        for left in report.remaining {
            ledger.complain("\(berth.name): \(left.object.name) could not be deleted: \(left.problem)")
        }
        try repository.writeCheckpointIfDue(every: 8)
    }

    /// What was destroyed is collected without keys.
    private func open(_ store: any ObjectStore, _ key: SigningKey) throws -> Repository {
        do {
            return try berth.harbour.open(store, site: key, surroundings: berth.surroundings)
        } catch let failure as Failure where failure.code == .refused && berth.ledger.contents.isDestroying {
            return try berth.harbour.open(store, .keyless, site: key, surroundings: berth.surroundings)
        }
    }

    private mutating func forget(_ repository: Repository) throws {
        let live = repository.log.state.snapshots.filter { !$0.value.isForgotten }
            .sorted { $0.value.record < $1.value.record }.map(\.key)
        // A greedy one lets everything go now and then, so that what others lean on goes, too.
        guard !live.isEmpty, seed.below(isGreedy ? 3 : 5) == 0 else { return }
        var chosen = isGreedy && seed.below(2) == 0 ? live : [live[seed.below(live.count)]]
        if seed.below(3) == 0 { chosen = try retired(repository) }
        berth.ledger.note { $0.forgotten[repository.store.location, default: []].formUnion(chosen) }
        let forgotten = try repository.forget(chosen).forgotten
        berth.ledger.count(.forgotten, forgotten.count)
    }

    /// What retention lets go, whatever the clocks say; the newest of a desktop is never among it.
    private func retired(_ repository: Repository) throws -> [Digest] {
        var policy = RetentionPolicy()
        (policy.last, policy.daily) = (2, 1)
        let points = try repository.retentionPoints().points
        let plan = RetentionPlan(points, policy, now: berth.surroundings.now())
        for (desktop, newest) in repository.log.state.newest where plan.going.contains(newest.manifest) {
            let isWhole = points.contains { $0.id == newest.manifest && !$0.isDamaged }
            if isWhole { berth.ledger.complain("\(berth.name): retention let the newest of \(desktop) go") }
        }
        return plan.going
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
