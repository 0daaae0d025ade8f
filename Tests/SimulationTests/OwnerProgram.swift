import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// The owner of the repository: gives up log records that are junk, changes keys, revokes the stolen writer, and in some
/// runs destroys everything. It dies in the middle, and does again what it had begun.
struct OwnerProgram {
    enum Deed { case rotate, retire, revoke(AuthorID), destroy }

    let berth: Berth
    /// Both vaults as one life of it sees them; the last life is used to the end.
    let lives: [(origin: any ObjectStore, copy: any ObjectStore)]
    var deeds: [Deed]
    var seed: Seed

    /// Goes on until the others have ended.
    mutating func run() {
        var life = 0
        for _ in 0..<3000 where berth.ledger.contents.working > 1 || !deeds.isEmpty {
            berth.turns.rest(berth.number, calls: 100 + seed.below(300))
            let stores = lives[life]
            let due = seed.below(3) == 0 || berth.ledger.contents.working == 1 ? deeds.first : nil
            var isDone = false
            let outcome = berth.persistently {
                try look(stores.origin, stores.copy, due)
                isDone = true
            }
            if due != nil, isDone || outcome == .over { deeds.removeFirst() }
            if outcome == .died, life + 1 < lives.count { life += 1 }
        }
        berth.ledger.note { $0.working -= 1 }
    }

    private func look(_ origin: any ObjectStore, _ copy: any ObjectStore, _ deed: Deed?) throws {
        let isCopied = try copy.length(of: try Record.key(0)) != nil
        let stores = isCopied && berth.siteKeys.find(at: copy.location) != nil ? [origin, copy] : [origin]
        if case .destroy = deed { return try destroy(stores) }
        guard !berth.ledger.contents.isDestroying else { return }
        let vaults = try stores.map { try open($0) }
        // Where a disk goes bad nobody puts junk, and what is lost is given up by nobody: the other vault has it.
        if berth.ledger.contents.sick == nil { for vault in vaults { try settle(vault) } }
        guard let deed else { return }
        let change = try KeyChange(vaults, surroundings: berth.surroundings)
        switch deed {
        case .rotate:
            _ = try change.rotate([berth.harbour.passphrase], cost: .light)
            berth.ledger.count(.rotated)
        case .retire:
            for vault in vaults { try forgetStolen(vault) }
            _ = try change.retire([berth.harbour.passphrase], cost: .light)
            berth.ledger.count(.retired)
        case .revoke(let author):
            try change.revoke([author])
            berth.ledger.note { $0.isRevoked = true }
            berth.ledger.count(.revoked)
        case .destroy: break
        }
    }

    private func open(_ store: any ObjectStore) throws -> Repository {
        try berth.harbour.open(
            store, site: berth.siteKeys.find(at: store.location), surroundings: berth.surroundings)
    }

    /// Voids what is no record, and decides what names a set that was never put.
    private func settle(_ vault: Repository) throws {
        while let cut = vault.log.interruption {
            try vault.void(try vault.planVoid(of: cut.number))
            berth.ledger.count(.voided)
        }
        if let settlement = try vault.log.planSettlement() {
            try vault.settle(settlement)
            berth.ledger.count(.settled)
        }
        try forgetHollow(vault)
    }

    /// Nothing is collected while nobody knows what a snapshot needs.
    private func forgetHollow(_ vault: Repository) throws {
        let state = vault.log.state
        guard let thief = berth.ledger.contents.thief else { return }
        let hollow = state.neededSnapshots.filter { snapshot in
            snapshot.author == thief && (try? state.roots(of: snapshot.clear, vault.objects)) == nil
        }.map(\.manifest.name.digest)
        if !hollow.isEmpty { try vault.appendAsSite { _ in .forget(hollow) } }
    }

    /// What a stolen writer committed need not open by any key, and keeps old ones from being let go.
    private func forgetStolen(_ vault: Repository) throws {
        guard let thief = berth.ledger.contents.thief else { return }
        let stolen = vault.log.state.neededSnapshots.filter { $0.author == thief }.map(\.manifest.name.digest)
        if !stolen.isEmpty { try vault.appendAsSite { _ in .forget(stolen) } }
    }

    private func destroy(_ stores: [any ObjectStore]) throws {
        berth.ledger.note { $0.isDestroying = true }
        var (ended, living): ([Repository], [Repository]) = ([], [])
        for store in stores {
            let look = try berth.harbour.open(store, .keyless, surroundings: berth.surroundings)
            if look.log.state.isDestroyed { ended.append(look) } else { living.append(try open(store)) }
        }
        for vault in living { try settle(vault) }
        let siteKeys = berth.siteKeys
        _ = try Destruction(ended: ended, living: living).run { siteKeys.keep($1, at: $0.store.location) }
        berth.ledger.count(.destroyed)
    }
}
