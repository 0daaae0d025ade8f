import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// A small repository with everything that can lie in a vault: trees and disks in several packs, a checkpoint, a page, a
/// mirrored log; and a twin of the vault elsewhere, from which it can be repaired.
final class RepairEstate: Sendable {
    let damage: DamageEstate
    let store: StrictStore

    /// Made once: what is damaged are copies.
    static let shared = Result { try RepairEstate(seed: 90) }

    init(seed: UInt64) throws {
        damage = try DamageEstate(seed: seed)
        store = damage.store
        let repository = try damage.open(store)
        try repository.writeCheckpointIfDue(every: 1)
        // A list of one element is as much a page as one of twelve thousand.
        let stranger = ObjectName(kind: .pack, digest: .zero, session: .none)
        let page = try Repository.put(
            Listing.page([ObjectRef(name: stranger, length: 100)]), as: .page, session: .random(.seeded(seed)), store)
        try repository.appendAsSite { _ in .damaged(.paged([page])) }
        try damage.backUp(damage.estate.bytes(150_000))
        for key in store.keys where key.hasPrefix("log/") {
            try put(try bytes(key), "origins/\(repository.vault)/\(key)", store)
        }
    }

    func bytes(_ key: String, in other: StrictStore? = nil) throws -> [UInt8] {
        guard let name = StoreKey(key) else { throw Failure(.failed, "\(key) is no key") }
        return try (other ?? store).get(name, atMost: 1 << 30)
    }

    private func put(_ bytes: [UInt8], _ key: String, _ store: StrictStore) throws {
        guard let name = StoreKey(key) else { throw Failure(.failed, "\(key) is no key") }
        try store.put(name, bytes, use: .data)
    }

    /// The same objects at another place.
    func twin(without folders: [String] = []) throws -> StrictStore {
        let twin = StrictStore("second")
        for key in store.keys where !folders.contains(where: { key.hasPrefix($0 + "/") }) {
            try put(try bytes(key), key, twin)
        }
        return twin
    }

    func keys(_ folder: String, in other: StrictStore? = nil) -> [String] {
        (other ?? store).keys.filter { $0.hasPrefix(folder + "/") }
    }

    func open(_ store: any ObjectStore, also others: [Repository] = []) throws -> Repository {
        try damage.open(store, also: others)
    }

    func keyless(_ store: any ObjectStore) throws -> Repository {
        try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: .seeded(5))
    }

    /// A repairer with the owner's keys.
    func repairer(
        _ store: any ObjectStore, from others: [any ObjectStore], heads: any HeadMemory = NoHeadMemory(),
        site: SigningKey? = nil, isDryRun: Bool = false, seed: UInt64 = 7
    ) throws -> Repairer {
        var options = Repairer.Options()
        options.isDryRun = isDryRun
        return Repairer(
            store, .passphrase(damage.estate.passphrase), from: try others.map { try keyless($0) }, site: site,
            heads: heads, surroundings: .seeded(seed), options: options)
    }

    @discardableResult
    func repair(
        _ store: any ObjectStore, from others: [any ObjectStore], site: SigningKey? = nil, seed: UInt64 = 7
    ) throws -> RepairReport {
        var repairer = try repairer(store, from: others, site: site, seed: seed)
        return try repairer.run()
    }

    func check(_ store: any ObjectStore, also others: [Repository] = []) throws -> CheckReport {
        try damage.check(store, also: others)
    }

    /// Every snapshot reads back as it was backed up, from this vault alone.
    func isRight(_ store: any ObjectStore) throws -> Bool {
        let outcomes = try damage.outcomes(try open(store))
        return outcomes.count == damage.snapshots.count && outcomes.values.allSatisfy { $0 == .right }
    }
}
