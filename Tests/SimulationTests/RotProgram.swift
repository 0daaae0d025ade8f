import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// A disk that goes bad in one of the two vaults, and the repairer who puts back from the other what is lost by it, while
/// everybody else is at work. Only what the other vault has whole rots, and none of the log's last records, which a writer
/// who sees that they are gone would write anew.
struct RotProgram {
    let berth: Berth
    /// The vault that goes bad, and the other.
    let sick: Sea
    let sound: Sea
    /// The sick vault as the repairer's lives see it; the last is used to the end.
    let lives: [any ObjectStore]
    let other: any ObjectStore
    let rounds: Int
    var seed: Seed

    mutating func run() {
        var (left, life) = (rounds, 0)
        // The owner goes on as long as this does.
        for _ in 0..<1000 where left > 0 && berth.ledger.contents.working > 2 {
            berth.turns.rest(berth.number, calls: 100 + seed.below(400))
            // The turn of this call is the moment at which it happens.
            guard (try? other.length(of: try Record.key(0))) != nil, rot() else { continue }
            left -= 1
            for _ in 0..<lives.count {
                let store = lives[life]
                guard berth.persistently({ try repair(store) }) == .died else { break }
                life = min(life + 1, lives.count - 1)
            }
        }
        berth.ledger.note { $0.working -= 1 }
    }

    private func repair(_ store: any ObjectStore) throws {
        let from = try berth.harbour.open(other, .keyless, surroundings: berth.surroundings)
        var options = Repairer.Options()
        options.workers = 1
        var repairer = Repairer(
            store, .slot(berth.harbour.passphrase), from: [from], site: berth.siteKeys.find(at: store.location),
            heads: NoHeadMemory(), surroundings: berth.surroundings, options: options)
        let report = try repairer.run()
        berth.ledger.count(.repaired, report.healed.count)
        // What a set named that nobody has, nobody knows: records are judged without it, and nothing is collected until its
        // snapshots are forgotten. Nor are keys retired while a snapshot needs an envelope that nobody has.
        let lost = report.left.filter { item in
            ObjectName(path: item.object).map { name in
                [.set, .envelope].contains(name.kind) && from.log.state.names(of: name.kind, name.digest).isEmpty
            } ?? false
        }
        guard !lost.isEmpty else { return }
        let repository = try berth.harbour.open(
            store, site: berth.siteKeys.find(at: store.location), surroundings: berth.surroundings)
        if let settlement = try repository.log.planSettlement() {
            try repository.settle(settlement)
            berth.ledger.count(.settled)
        }
        let snapshots = Set(lost.flatMap(\.snapshots)).filter { digest in
            repository.log.state.snapshots[digest].map { !$0.isForgotten } ?? false
        }.sorted()
        guard !snapshots.isEmpty else { return }
        berth.ledger.note { $0.forgotten[store.location, default: []].formUnion(snapshots) }
        berth.ledger.count(.gone, try repository.forget(snapshots).forgotten.count)
    }

    // MARK: - What rots

    private mutating func rot() -> Bool {
        let whole = sound.access(at: 0) { $0 }
        let prefix = whole.keys.first { $0.hasPrefix("origins/") }.map { String($0.prefix(41)) }
        let digests = Set(whole.keys.compactMap(Self.identity))
        let candidates = sick.access(at: 0) { objects in
            let last = objects.keys.filter { $0.hasPrefix("log/") }.max() ?? ""
            return objects.keys.sorted().filter { key in
                guard key.hasPrefix("log/") else { return Self.identity(key).map(digests.contains) ?? false }
                guard let prefix, let number = UInt64(key.dropFirst(4)), let end = UInt64(last.dropFirst(4)) else {
                    return false
                }
                return number + 2 < end && whole["\(prefix)\(key)"] != nil
            }
        }
        guard !candidates.isEmpty else { return false }
        for _ in 0...seed.below(4) {
            let key = candidates[seed.below(candidates.count)]
            let isLost = !key.hasPrefix("log/") && seed.below(3) == 0
            let (place, isEverywhere) = (seed.below(1 << 20), seed.below(2) == 0)
            sick.access(at: 0) { objects in
                guard let bytes = objects[key], !bytes.isEmpty else { return }
                if isLost { return objects[key] = nil }
                objects[key]?[place % bytes.count] ^= 8
                // Of a record, both halves.
                if isEverywhere { objects[key]?[(place + bytes.count / 2) % bytes.count] ^= 8 }
            }
            berth.ledger.count(.rotted)
        }
        return true
    }

    /// Kind and digest of what must be the same in both vaults.
    private static func identity(_ key: String) -> String? {
        guard let name = ObjectName(path: key), [.pack, .set, .manifest, .envelope].contains(name.kind) else {
            return nil
        }
        return "\(name.kind) \(name.digest)"
    }
}
