import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// One repository and the keys of everybody who works on it.
final class Harbour: Sendable {
    let surroundings: Surroundings
    /// As it was made: what somebody holds who kept the keys of the first day.
    let bundle: KeyBundle
    let site: SigningKey
    let passphrase = SlotKey.passphrase(Array("x".utf8))
    private let slot: [UInt8]

    init(seed: UInt64) throws {
        surroundings = .seeded(seed)
        bundle = try KeyBundle.make(
            cut: .init(minimum: 256, average: 1024, maximum: 4096), surroundings: surroundings)
        site = try SigningKey(random: surroundings)
        slot = try Slot.wrap(bundle, passphrase, cost: .light, surroundings: surroundings).bytes
    }

    func make(in store: any ObjectStore) throws {
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot], site: site, surroundings: surroundings)
    }

    /// As the owner, by a slot of the vault, unless said otherwise; with the site key of the first vault, unless another
    /// is given.
    func open(
        _ store: any ObjectStore, _ access: Repository.Access? = nil, site key: SigningKey? = nil,
        heads: any HeadMemory = NoHeadMemory(), surroundings own: Surroundings? = nil
    ) throws -> Repository {
        try Repository.open(
            store, access ?? .slot(passphrase), expecting: bundle.repository, site: key ?? site, heads: heads,
            surroundings: own ?? surroundings)
    }
}
