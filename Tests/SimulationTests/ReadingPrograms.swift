import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// Reads snapshots back while everybody else is at work, and claims nothing: what is not found is looked up again with
/// the log read forward. Only what is forgotten meanwhile may fail it, or what a stolen writer led astray.
struct RestorerProgram {
    let berth: Berth
    let stores: [any ObjectStore]
    var seed: Seed

    mutating func run() {
        for _ in 0..<1000 where berth.ledger.contents.working > 0 {
            berth.turns.rest(berth.number, calls: seed.below(300))
            let (store, dice) = (stores[seed.below(stores.count)], seed.below(1000))
            berth.persistently { try restore(from: store, dice) }
        }
    }

    private func restore(from store: any ObjectStore, _ dice: Int) throws {
        guard try store.length(of: try Record.key(0)) != nil else { return }
        let repository = try berth.harbour.open(store, surroundings: berth.surroundings)
        let live = repository.log.state.recoveryPoints
        guard !live.isEmpty else { return }
        let chosen = live[dice % live.count]
        do {
            let snapshot = try repository.snapshot(chosen)
            guard snapshot.manifest.author != berth.ledger.contents.thief || snapshot.manifest.author == nil,
                let read = try repository.machine(of: snapshot)
            else { return }
            berth.ledger.count(.restored)
            if read != berth.ledger.contents.contents[snapshot.part.host] {
                berth.ledger.complain("\(berth.name): \(snapshot.part.host) was restored otherwise")
            }
        } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
            let digest = chosen.manifest.name.digest
            let state = try repository.log.refresh()
            let said = berth.ledger.contents
            guard !(said.forgotten[store.location]?.contains(digest) ?? false), !said.isDestroying,
                said.thief == nil, said.sick != store.location
            else { return }
            // Nobody forgot it, so it must read; the log says whether the program looked at an old state of it.
            berth.ledger.complain("\(berth.name): \(digest) in \(store.location) at \(state.head): \(failure)")
        }
    }
}

extension Repository {
    /// The content of a snapshot of the simulation.
    func machine(of snapshot: Snapshot) throws -> [UInt8]? {
        guard case .machine(let reference) = snapshot.part.streams.first?.content else { return nil }
        let reader = try SnapshotReader(self, snapshot)
        var read: [UInt8] = []
        try reader.forEachChunk(of: reference) { chunk, _ in read += try reader.read(chunk.id) }
        return read
    }
}

/// Checks a vault while everybody else is at work, with keys or without. It may find what a stolen writer did; else only
/// what went while it looked.
struct CheckerProgram {
    let berth: Berth
    let stores: [any ObjectStore]
    let rounds: Int
    var seed: Seed

    mutating func run() {
        for _ in 0..<rounds where berth.ledger.contents.working > 0 {
            berth.turns.rest(berth.number, calls: 150)
            let (store, isKeyed, readsData) = (stores[seed.below(stores.count)], seed.below(2) == 0, seed.below(2) == 0)
            berth.persistently { try check(store, isKeyed, readsData) }
        }
    }

    private func check(_ store: any ObjectStore, _ isKeyed: Bool, _ readsData: Bool) throws {
        guard try store.length(of: try Record.key(0)) != nil else { return }
        let ledger = berth.ledger
        let repository = try berth.harbour.open(
            store, isKeyed ? nil : .keyless, site: berth.siteKeys.find(at: store.location),
            surroundings: berth.surroundings)
        var options = Checker.Options()
        (options.workers, options.readData) = (1, readsData)
        let report = try Checker.check(repository, options)
        ledger.count(.checked)
        let after = try repository.log.refresh()
        let said = ledger.contents
        guard !said.isDestroying else { return }
        if said.thief != nil {
            try repository.recordDamage(report)
            return
        }
        let newest = repository.keys.readers.map(\.generation).max() ?? 0
        for finding in report.findings {
            // A check judges by the log as it was when it began, and opens what its keys open.
            guard let name = finding.name, after.objects[name]?.status == .live,
                finding.damage != .unopenable || newest == after.newestReader
            else { continue }
            let needed = finding.snapshots.filter { after.snapshots[$0].map { !$0.isForgotten } ?? false }
            guard !needed.isEmpty, said.sick != store.location else { continue }
            ledger.complain("\(berth.name): \(finding.object) in \(store.location): \(finding.meaning)")
        }
    }
}
