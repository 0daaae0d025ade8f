internal import ObjectStore
package import Platform
package import Sealing

/// A key slot as it lies in a vault: one content, under two names.
package struct HeldSlot: Sendable {
    /// What it is called: the hash of its bytes.
    package let digest: Digest
    package internal(set) var names: [ObjectName]
    /// Nil when no copy can be read.
    package internal(set) var slot: Slot?
}

extension Repository {
    /// The slots of this repository in the vault, and those that cannot be read; others' are passed over.
    package func slots() throws(Failure) -> [HeldSlot] {
        var found: [Digest: HeldSlot] = [:]
        for name in try Self.slotNames(store) {
            var held = found[name.digest] ?? HeldSlot(digest: name.digest, names: [], slot: nil)
            held.names.append(name)
            if held.slot == nil, let bytes = try readIfWhole(name) { held.slot = try? Slot(bytes) }
            found[name.digest] = held
        }
        return found.values.filter { $0.slot.map { $0.repository == id } ?? true }.sorted { $0.digest < $1.digest }
    }

    /// Nil for what is damaged or gone: that a store does not answer says nothing of an object.
    func readIfWhole(_ name: ObjectName) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try objects.read(name)
        } catch  where error.code == .damaged || error.code == .notFound { return nil }
    }

    /// Puts a slot under two names, as in a new repository.
    ///
    /// The repository may be destroyed meanwhile, and whoever does that look for slots before this one arrives: so it is
    /// looked at after the put, and then there is none left either way.
    /// - Throws: `.refused` when it was destroyed.
    package func putSlot(_ bytes: [UInt8]) throws(Failure) {
        for _ in 0..<2 { try Self.put(bytes, as: .slot, session: .random(surroundings), store) }
        guard try log.refresh().isDestroyed else { return }
        try destroySlots()
        throw Self.destroyed(id, at: store.location)
    }

    func delete(_ slot: HeldSlot) throws(Failure) {
        for name in slot.names { try store.deleteSettled(try name.key()) }
    }

    /// Deletes every slot in the vault, also what cannot be read or a making that was cut short left.
    /// - Returns: how many contents there were.
    @discardableResult
    package func destroySlots() throws(Failure) -> Int {
        var gone: Set<Digest> = []
        while true {
            // Page by page, so that no amount of junk keeps the slots from being destroyed.
            var isEmpty = true
            var last: StoreKey?
            repeat {
                let page = try store.list(prefix: ObjectKind.slot.folder + "/", after: last, limit: 1000)
                for name in page.compactMap({ ObjectName(path: $0.key.text) }) {
                    try store.deleteSettled(try name.key())
                    gone.insert(name.digest)
                    isEmpty = false
                }
                last = page.last?.key
            } while last != nil
            if isEmpty { return gone.count }
        }
    }
}

extension ObjectStore {
    /// Deletes, and again while it is not known whether that was done.
    func deleteSettled(_ key: StoreKey) throws(Failure) {
        for _ in 0..<20 {
            do throws(Failure) { return try delete(key) } catch  where error.code == .unknownOutcome { continue }
        }
        throw Failure(.unreachable, "whether \(key) was deleted could not be settled", advice: "Run it again.")
    }
}
