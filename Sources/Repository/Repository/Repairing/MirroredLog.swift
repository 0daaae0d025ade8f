internal import ObjectStore
internal import Platform
internal import Sealing

/// The mirror of another vault's log in this one, and what may stand at a number of it.
struct MirroredLog {
    private let repository: Repository
    private let vault: VaultID
    private let folder: String

    init(_ repository: Repository, _ vault: VaultID) {
        self.repository = repository
        self.vault = vault
        folder = "origins/\(vault)/log"
    }

    /// The record's canonical bytes: from its own other half, or from a vault at hand that mirrors the same log or is
    /// that very vault, if the mirrored record after it names it; of the last one, if it is authentic.
    func record(_ number: UInt64) throws(Failure) -> (bytes: [UInt8], from: String, isFetched: Bool)? {
        if let own = try halves(repository.store, folder, number).first(where: { Record.number(in: $0) == number }) {
            return (own, "its other half", false)
        }
        let next = try halves(repository.store, folder, number + 1).first
        let site = try siteKey()
        for other in repository.alternates {
            for place in [folder] + (other.vault == vault ? ["log"] : []) {
                for bytes in try halves(other.store, place, number) {
                    let record = try? Record(
                        bytes, repository: repository.id, vault: vault, number: number, site: number == 0 ? nil : site,
                        root: number == 0 ? nil : repository.log.state.charter.root)
                    guard let record else { continue }
                    // A genesis brings a site key of its own: only what follows vouches for it.
                    guard let next else {
                        if number > 0 { return (bytes, other.store.location, true) }
                        continue
                    }
                    if Record.previous(in: next) == record.hash { return (bytes, other.store.location, true) }
                }
            }
        }
        return nil
    }

    private func siteKey() throws(Failure) -> VerifyingKey? {
        for bytes in try halves(repository.store, folder, 0) {
            guard
                let genesis = try? Record(
                    bytes, repository: repository.id, vault: vault, number: 0, site: nil, root: nil),
                case .genesis(_, let site) = genesis.body
            else { continue }
            return site
        }
        return nil
    }

    private func halves(_ store: any ObjectStore, _ folder: String, _ number: UInt64) throws(Failure) -> [[UInt8]] {
        do throws(Failure) {
            return Record.Halves(try store.recordObject(number, folder: folder)).different
        } catch {
            guard error.isOfOneObject else { throw error }
            return []
        }
    }
}
