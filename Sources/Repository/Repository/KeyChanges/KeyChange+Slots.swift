internal import ObjectStore
package import Platform
package import Sealing

extension KeyChange {
    /// Adds a way to open the repository, in each vault.
    /// - Returns: the new slot's name.
    /// - Throws: `.refused` for a passphrase beside a token's key: its owner could not withdraw that any more.
    package func add(_ key: SlotKey, cost: Slot.Cost = .standard) throws(Failure) -> Digest {
        for slot in try heldSlots().joined() {
            guard case .token(let label, _) = slot.slot?.lock, case .passphrase = key else { continue }
            throw Failure(
                .refused, "the repository is under the key \(label), and no passphrase comes beside that",
                advice: "Nothing was changed. `breakwater repository keys re-wrap` puts it back under a passphrase.")
        }
        return try put(key, cost)
    }

    /// Puts `new` in the place of `old`: until the old slots are gone, both open.
    /// - Parameter onlyWay: slots that `old` does not open go as well.
    /// - Returns: the new slot's name, and those that are gone.
    package func replace(
        _ old: SlotKey, by new: SlotKey, onlyWay: Bool = false, cost: Slot.Cost = .standard
    ) throws(Failure) -> (slot: Digest, gone: Set<Digest>) {
        let held = try heldSlots()
        let opened = try slots(held, openedBy: [old])
        let slot = try put(new, cost)
        var gone: Set<Digest> = []
        for (vault, slots) in zip(vaults, held) {
            for held in slots where onlyWay || opened[held.digest] != nil {
                try vault.delete(held)
                gone.insert(held.digest)
            }
        }
        return (slot, gone)
    }

    private func put(_ key: SlotKey, _ cost: Slot.Cost) throws(Failure) -> Digest {
        let slot = try Slot.wrap(bundle, key, cost: cost, surroundings: surroundings)
        for vault in vaults { try vault.putSlot(slot.bytes) }
        return SHA256.hash(slot.bytes)
    }

    /// Removes a slot from each vault.
    /// - Throws: `.notFound`; `.refused` when a vault would be left without one that can be read.
    package func remove(_ digest: Digest) throws(Failure) {
        try Self.remove(digest, from: vaults)
    }

    package static func remove(_ digest: Digest, from vaults: [Repository]) throws(Failure) {
        var going: [(Repository, HeldSlot)] = []
        for vault in vaults {
            let slots = try vault.slots()
            guard let slot = slots.first(where: { $0.digest == digest }) else { continue }
            guard slots.contains(where: { $0.digest != digest && $0.slot != nil }) else {
                throw Failure(
                    .refused, "slot \(digest.hex.prefix(12)) is the last one in \(vault.store.location)",
                    advice: "Nothing was removed. Add another way to open the repository first.")
            }
            going.append((vault, slot))
        }
        guard !going.isEmpty else {
            throw Failure(
                .notFound, "there is no key slot \(digest.hex.prefix(12))",
                advice: "`breakwater repository keys list` shows them.")
        }
        for (vault, slot) in going { try vault.delete(slot) }
    }

    // MARK: - Opening slots

    /// The slots of each vault, as they lie there now: only these go, whatever comes meanwhile.
    func heldSlots() throws(Failure) -> [[HeldSlot]] {
        var held: [[HeldSlot]] = []
        for vault in vaults { held.append(try vault.slots()) }
        return held
    }

    /// Which of the keys opens a slot, by the slot's name; slots that none opens are left out.
    func slots(_ held: [[HeldSlot]], openedBy keys: [SlotKey]) throws(Failure) -> [Digest: Int] {
        var opened: [Digest: Int] = [:]
        var closed: Set<Digest> = []
        for slot in held.joined() where opened[slot.digest] == nil && !closed.contains(slot.digest) {
            guard let content = slot.slot else { continue }
            closed.insert(slot.digest)
            for (place, key) in keys.enumerated() where opened[slot.digest] == nil {
                do throws(Failure) {
                    _ = try content.unwrap(key)
                    opened[slot.digest] = place
                } catch {
                    guard error.code == .refused || error.code == .damaged else { throw error }
                }
            }
        }
        return opened
    }

    /// Wraps a bundle anew for every key whose slots a vault holds, and then deletes those.
    ///
    /// 1. Every slot must be opened by one of the keys: one that is not would go on holding the old keys alone.
    /// 2. The new slots are put in each vault. 3. `middle` is done; if it is refused, the new slots are taken away again.
    /// 4. The old slots are deleted.
    func rewrap(
        _ new: KeyBundle, for keys: [SlotKey], cost: Slot.Cost, doing middle: () throws -> Void
    ) throws {
        let held = try heldSlots()
        let opened = try slots(held, openedBy: keys)
        if let other = held.joined().first(where: { $0.slot != nil && opened[$0.digest] == nil }) {
            throw Failure(
                .refused,
                "slot \(other.digest.hex.prefix(12)) does not open by what was given, so it cannot take up new keys",
                advice: "Nothing was changed. Give its passphrase with --other-passphrase-file, or remove it first.")
        }
        var wrapped: [Int: Slot] = [:]
        var put: [(Repository, Slot)] = []
        for (vault, slots) in zip(vaults, held) {
            for place in Set(slots.compactMap { opened[$0.digest] }).sorted() {
                let slot = try wrapped[place] ?? Slot.wrap(new, keys[place], cost: cost, surroundings: surroundings)
                wrapped[place] = slot
                try vault.putSlot(slot.bytes)
                put.append((vault, slot))
            }
        }
        do {
            try middle()
        } catch let failure as Failure where failure.code == .refused {
            // Somebody else changed the keys meanwhile, and these never came to be.
            for (vault, slot) in put {
                let digest = SHA256.hash(slot.bytes)
                for held in (try? vault.slots()) ?? [] where held.digest == digest { try? vault.delete(held) }
            }
            throw failure
        }
        for (vault, slots) in zip(vaults, held) { for slot in slots { try vault.delete(slot) } }
    }
}
