internal import ObjectStore
package import Platform
internal import Sealing

/// A sealed site key as it lies whole in a vault: one content, under two names, or under one in a vault that was made
/// before there were two.
struct HeldSiteKey {
    var names: [ObjectName]
    let object: SiteKeyObject
}

extension Repository {
    /// Whether the reader keys at hand tell a sealed site key from bytes that only look like one: it is sealed to the newest.
    var judgesSiteKeys: Bool {
        let state = log.state
        return keys.readers.contains { $0.generation == state.newestReader && Self.isListed($0, state) }
    }

    /// Whether it gives this vault's site key. Without the reader key that would open it, what names this vault may be it.
    func mayServe(_ object: SiteKeyObject) -> Bool {
        guard object.vault == vault, judgesSiteKeys else { return object.vault == vault }
        return object.open(keys.readers, repository: id)?.verifying == log.state.site
    }

    /// What says that it is this vault's sealed site key and lies whole in a store, in the order of the names: anybody who
    /// may put objects can say so, see `mayServe`.
    func siteKeys(in store: any ObjectStore) throws(Failure) -> [HeldSiteKey] {
        var found: [HeldSiteKey] = []
        let reader = ObjectReader(store)
        for name in try Self.listed(.siteKey, in: store) {
            do throws(Failure) {
                let object = try SiteKeyObject(try reader.read(name))
                guard object.vault == vault else { continue }
                if let known = found.firstIndex(where: { $0.object == object }) {
                    found[known].names.append(name)
                } else {
                    found.append(HeldSiteKey(names: [name], object: object))
                }
            } catch { guard error.isOfOneObject else { throw error } }
        }
        return found
    }

    /// Puts the vault's site key sealed to a reader key, under two names, so that whoever holds that one can take the vault
    /// up.
    package func putSiteKey(reader: [UInt8]) throws(Failure) {
        guard let site = keys.site else { return }
        let sealed = try SiteKeyObject(
            site, repository: id, vault: vault, reader: reader, ephemeral: surroundings.random(32))
        for _ in 0..<2 { try putSiteKey(sealed) }
    }

    private func putSiteKey(_ object: SiteKeyObject) throws(Failure) {
        try Self.put(object.bytes, as: .siteKey, session: .random(surroundings), store)
    }

    /// Puts a second copy of what lies here once.
    /// - Returns: whether anything did.
    func completeSiteKeys() throws(Failure) -> Bool {
        let single = try siteKeys(in: store).filter { $0.names.count == 1 && mayServe($0.object) }
        for held in single { try putSiteKey(held.object) }
        return !single.isEmpty
    }

    /// Leaves one site key of this vault that opens under the key, twice, and deletes all others.
    func keepSiteKey(for reader: ReaderKey) throws(Failure) {
        guard keys.site != nil else { return }
        let held = try siteKeys(in: store)
        let kept = held.first { $0.object.open([reader], repository: id)?.verifying == log.state.site }
        if let kept {
            if kept.names.count == 1 { try putSiteKey(kept.object) }
        } else {
            try putSiteKey(reader: reader.publicKey)
        }
        for other in held where other.object != kept?.object {
            for name in other.names { try store.deleteSettled(try name.key()) }
        }
    }
}
