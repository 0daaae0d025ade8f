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
        return try put(key, bundle, cost)
    }

    /// Puts `new` in the place of `old`: until the old slots are gone, both open.
    /// - Parameter onlyWay: slots that `old` does not open go as well.
    /// - Returns: the new slot's name, and those that are gone.
    /// - Throws: `.refused` when a slot that is not opened may be the only one with keys that something needs.
    package func replace(
        _ old: SlotKey, by new: SlotKey, onlyWay: Bool = false, cost: Slot.Cost = .standard
    ) throws(Failure) -> (slot: Digest, gone: Set<Digest>) {
        let opened = try open([old])
        let whole = whole(opened)
        if onlyWay { try requireNeeded(of: whole, "the slots that \(old.title) does not open may") }
        let slot = try put(new, whole, cost)
        var gone: Set<Digest> = []
        for (vault, slots) in zip(vaults, opened.held) {
            for held in slots where onlyWay || opened.places[held.digest] != nil {
                try vault.delete(held)
                gone.insert(held.digest)
            }
        }
        return (slot, gone)
    }

    private func put(_ key: SlotKey, _ bundle: KeyBundle, _ cost: Slot.Cost) throws(Failure) -> Digest {
        let slot = try Slot.wrap(bundle, key, cost: cost, surroundings: surroundings)
        for vault in vaults { try vault.putSlot(slot.bytes) }
        return SHA256.hash(slot.bytes)
    }

    /// Removes a slot from each vault.
    /// - Parameter keys: what opens slots, as far as it is at hand.
    /// - Throws: `.notFound`; `.refused` when a vault would be left without one that can be read, or when all others open
    ///   and none has keys that something needs.
    package func remove(_ digest: Digest, knowing keys: [SlotKey] = []) throws(Failure) {
        let opened = try open(keys)
        if let going = opened.bundles[digest], opened.held.joined().allSatisfy({ opened.bundles[$0.digest] != nil }) {
            var left = going
            left.readers = []
            for (other, bundle) in opened.bundles where other != digest { left.add(bundle.readers) }
            try requireNeeded(of: left, "slot \(digest.hex.prefix(12)) alone would")
        }
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

    /// The slots of each vault, and what opens them.
    struct Opened {
        let held: [[HeldSlot]]
        /// Which of the keys opens a slot, by the slot's name; slots that none opens are left out.
        var places: [Digest: Int] = [:]
        var bundles: [Digest: KeyBundle] = [:]
    }

    func open(_ keys: [SlotKey]) throws(Failure) -> Opened {
        var opened = Opened(held: try heldSlots())
        var closed: Set<Digest> = []
        for slot in opened.held.joined() where closed.insert(slot.digest).inserted {
            guard let content = slot.slot else { continue }
            for (place, key) in keys.enumerated() where opened.places[slot.digest] == nil {
                do throws(Failure) {
                    opened.bundles[slot.digest] = try content.unwrap(key)
                    opened.places[slot.digest] = place
                } catch {
                    guard error.code == .refused || error.code == .damaged else { throw error }
                }
            }
        }
        return opened
    }

    /// The bundle with the private halves that slots hold besides, of every generation that some vault has not retired: a
    /// copy may need one that its origin has let go.
    func whole(_ opened: Opened) -> KeyBundle {
        var whole = bundle
        for (_, other) in opened.bundles.sorted(by: { $0.key < $1.key }) where other.repository == whole.repository {
            whole.add(
                other.readers.filter { reader in
                    vaults.contains { vault in
                        let state = vault.log.state
                        return reader.generation >= state.oldestReader && Repository.isListed(reader, state)
                    }
                })
        }
        return whole
    }

    /// - Throws: `.refused` when some vault has a snapshot that these keys do not open.
    private func requireNeeded(of bundle: KeyBundle, _ who: String) throws(Failure) {
        for vault in vaults {
            let state = vault.log.state
            let generations = Set(bundle.readers.filter { Repository.isListed($0, state) }.map(\.generation))
            guard state.needsMore(than: generations) else { continue }
            throw Failure(
                .refused,
                "\(who) hold the keys of reader generations that snapshots in \(vault.store.location) need",
                advice: "Nothing was changed. `breakwater repository keys rotate` with that vault named seals them to "
                    + "new keys.")
        }
    }

    /// Wraps a bundle anew for every key whose slots a vault holds, and then deletes those.
    ///
    /// 1. Every slot must be opened by one of the keys: one that is not would go on holding the old keys alone.
    /// 2. The new slots are put in each vault. 3. `middle` is done; if it is refused, the new slots are taken away again.
    /// 4. The old slots are deleted.
    func rewrap(
        _ new: KeyBundle, _ opened: Opened, for keys: [SlotKey], cost: Slot.Cost, doing middle: () throws -> Void
    ) throws {
        if let other = opened.held.joined().first(where: { $0.slot != nil && opened.places[$0.digest] == nil }) {
            throw Failure(
                .refused,
                "slot \(other.digest.hex.prefix(12)) does not open by what was given, so it cannot take up new keys",
                advice: "Nothing was changed. Give its passphrase with --other-passphrase-file, or remove it first.")
        }
        var wrapped: [Int: Slot] = [:]
        var put: [(Repository, Slot)] = []
        for (vault, slots) in zip(vaults, opened.held) {
            for place in Set(slots.compactMap { opened.places[$0.digest] }).sorted() {
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
        for (vault, slots) in zip(vaults, opened.held) { for slot in slots { try vault.delete(slot) } }
    }
}
