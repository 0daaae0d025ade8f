import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// Reads snapshots back while everybody else is at work, and claims nothing: what is not found is looked up again with
/// the log read forward. Only what is forgotten meanwhile may fail it.
struct RestorerProgram {
    let name: String
    let stores: [any ObjectStore]
    let harbour: Harbour
    let siteKeys: SharedSiteKeys
    let ledger: Ledger
    let surroundings: Surroundings
    var seed: Seed

    mutating func run() {
        for _ in 0..<1000 where ledger.contents.working > 0 {
            let (store, dice) = (stores[seed.below(stores.count)], seed.below(1000))
            ledger.persistently(name) { try restore(from: store, dice) }
        }
    }

    private func restore(from store: any ObjectStore, _ dice: Int) throws {
        guard try store.length(of: try Record.key(0)) != nil, dice % 3 == 0 else { return }
        let repository = try harbour.open(store, surroundings: surroundings)
        let live = repository.log.state.recoveryPoints
        guard !live.isEmpty else { return }
        let chosen = live[dice / 3 % live.count]
        do {
            let snapshot = try repository.snapshot(chosen)
            guard case .machine(let reference) = snapshot.part.streams[0].content else { return }
            let reader = try SnapshotReader(repository, snapshot)
            var read: [UInt8] = []
            try reader.forEachChunk(of: reference) { chunk, _ in read += try reader.read(chunk.id) }
            let isSame = read == ledger.contents.contents[snapshot.part.host]
            ledger.note {
                $0.restored += 1
                if !isSame { $0.problems.append("\(name): \(snapshot.part.host) was restored otherwise") }
            }
        } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
            let digest = chosen.manifest.name.digest
            let state = try repository.log.refresh()
            ledger.note {
                guard !($0.forgotten[store.location]?.contains(digest) ?? false) else { return }
                // Nobody forgot it, so it must read; the log says whether the program looked at an old state of it.
                $0.problems.append("\(name): \(digest) in \(store.location) at \(state.head): \(failure)")
            }
        }
    }
}
