internal import ObjectStore
package import Platform
package import Sealing

/// Reader generations.
///
/// Rotation: 1. a new private half goes into every slot, and the site key is sealed to it, 2. the root says so in each
/// vault, after what the others know already: from here on sessions seal to it, 3. the old slots go, 4. what was sealed
/// before is sealed to it besides.
///
/// Retirement: 1. as step 4, proving of every needed session that it opens by the newest key alone, 2. slots
/// with that key alone are put, 3. the root says so in each vault, 4. the old slots go.
///
/// Cut short anywhere, the repository opens: until the old slots go they hold every key in use, and a slot with a key
/// that never came to be is known by the log.
extension KeyChange {
    /// What became of it.
    package struct Rotation: Sendable, Equatable {
        package var generation: UInt32
        /// Envelopes sealed anew, over all vaults.
        package var resealed = 0
        /// Snapshots that stay sealed to older generations, since of one of their sessions no envelope at hand opens: it is
        /// damaged, or a stolen writer named it and never put it.
        package var left: [Left] = []

        package struct Left: Sendable, Equatable {
            package var snapshot: Digest
            package var why: String
        }

        /// The beginnings of what is left, as `forget` takes them: the first eight.
        package var ids: String {
            let shown = left.prefix(8).map { String($0.snapshot.hex.prefix(12)) }
            return (shown + (left.count > shown.count ? ["and \(left.count - shown.count) more"] : []))
                .joined(separator: " ")
        }
    }

    /// Makes a new reader generation.
    /// - Parameter keys: what opens the slots: of each slot, one.
    /// - Throws: `.refused` when a slot would be left behind, or somebody else made the generation meanwhile.
    package func rotate(_ keys: [SlotKey], cost: Slot.Cost = .standard) throws -> Rotation {
        try requireFeature()
        let known = try generations()
        let opened = try open(keys)
        let listed = try inUse(known, whole(opened))
        let fresh = try ReaderKey(generation: (known.keys.max() ?? 1) + 1, secret: surroundings.random(32))
        var new = bundle
        new.readers = listed + [fresh]
        try rewrap(new, opened, for: keys, cost: cost) {
            for vault in vaults { try vault.putSiteKey(reader: fresh.publicKey) }
            let all = known.merging([fresh.generation: fresh.publicKey]) { $1 }
            for (generation, key) in all.sorted(by: { $0.key < $1.key }) where generation > 1 {
                try say(.newGeneration(generation, reader: key)) { $0.readers[generation] == key }
            }
        }
        var rotation = Rotation(generation: fresh.generation)
        try reseal(by: listed + [fresh], to: fresh, &rotation)
        return rotation
    }

    /// Lets all generations but the newest go.
    /// - Throws: `.refused` when something needed is not sealed to the newest, or a slot would be left behind.
    package func retire(_ keys: [SlotKey], cost: Slot.Cost = .standard) throws -> Rotation {
        try requireFeature()
        let known = try generations()
        let opened = try open(keys)
        let listed = try inUse(known, whole(opened))
        for vault in vaults where vault.log.state.readers != known {
            throw Failure(
                .refused, "\(vault.store.location) has not taken up the newest reader generation",
                advice: "Nothing was changed. Copy to it, or rotate with it named in --also.")
        }
        guard let newest = listed.last, newest.generation > 1 else { return Rotation(generation: 1) }
        var rotation = Rotation(generation: newest.generation)
        try reseal(by: listed, to: newest, &rotation)
        if let left = rotation.left.first {
            throw Failure(
                .refused,
                "\(rotation.left.count.counted("snapshot", "snapshots")) cannot be sealed to the newest keys "
                    + "alone, the first of them \(left.snapshot): \(left.why)",
                advice:
                    "The old keys stay, and everything opens as before. Put back what is missing with `breakwater "
                    + "repository repair --from`, or forget these snapshots: \(rotation.ids).")
        }
        var new = bundle
        new.readers = [newest]
        try rewrap(new, opened, for: keys, cost: cost) {
            for vault in vaults { try vault.keepSiteKey(for: newest) }
            try say(.retireGenerations(below: newest.generation)) { $0.oldestReader >= newest.generation }
        }
        return rotation
    }

    private func requireFeature() throws(Failure) {
        try Self.requireSites(vaults)
        guard vaults[0].log.state.charter.features.contains(Charter.reseal) else {
            throw Failure(
                .refused, "the repository was made before reader generations could be changed",
                advice: "Nothing was changed. Its passphrase can be changed; for new reader keys make a new repository."
            )
        }
    }

    /// The public halves that the vaults' logs name between them.
    private func generations() throws(Failure) -> [UInt32: [UInt8]] {
        var known: [UInt32: [UInt8]] = [:]
        for vault in vaults {
            for (generation, key) in try vault.log.refresh().readers {
                guard known[generation] ?? key == key else {
                    throw Failure(
                        .refused,
                        "\(vaults[0].store.location) and \(vault.store.location) each have a reader generation \(generation) of their own",
                        advice: "Nothing was changed.")
                }
                known[generation] = key
            }
        }
        return known
    }

    /// The private halves of the generations that some vault has not retired, oldest first.
    private func inUse(_ known: [UInt32: [UInt8]], _ bundle: KeyBundle) throws(Failure) -> [ReaderKey] {
        let oldest = vaults.map(\.log.state.oldestReader).min() ?? 1
        let listed = bundle.readers.filter { known[$0.generation] == $0.publicKey && $0.generation >= oldest }
            .sorted { $0.generation < $1.generation }
        guard listed.last?.generation == known.keys.max() else {
            throw Failure(
                .refused, "the keys at hand do not open reader generation \(known.keys.max() ?? 1)",
                advice: "Nothing was changed. Open the repository by a slot that has it, or name its vault with --also."
            )
        }
        return listed
    }

    // MARK: - Envelopes

    private static let attempts = 10

    /// Seals the data keys of all needed sessions to the newest key, where they do not open by it yet.
    private func reseal(by readers: [ReaderKey], to newest: ReaderKey, _ rotation: inout Rotation) throws {
        var made: [SessionID: Envelope] = [:]
        for vault in vaults {
            for attempt in 1... {
                do {
                    let (count, left) = try reseal(vault, readers, newest, &made)
                    rotation.resealed += count
                    // A snapshot that several vaults have is one.
                    rotation.left += left.filter { one in !rotation.left.contains { $0.snapshot == one.snapshot } }
                    break
                } catch let failure as Failure where failure.code == .refused && attempt < Self.attempts {
                    // A collector took for orphans what was just put. Its session is closed; another serves.
                    continue
                }
            }
        }
    }

    private func reseal(
        _ vault: Repository, _ readers: [ReaderKey], _ newest: ReaderKey, _ made: inout [SessionID: Envelope]
    ) throws -> (count: Int, left: [Rotation.Left]) {
        let state = try vault.log.refresh()
        let known = state.sealedGenerations
        var seen: Set<ClearPart.SessionEnvelope> = []
        var sealing: Set<SessionID> = []
        var waiting: [(session: SessionID, envelope: Envelope)] = []
        var left: [Rotation.Left] = []
        var lost: [SessionID: String] = [:]
        func note(_ snapshot: LogState.Committed, _ why: String) {
            let digest = snapshot.manifest.name.digest
            if left.last?.snapshot != digest { left.append(Rotation.Left(snapshot: digest, why: why)) }
        }
        for snapshot in state.neededSnapshots {
            for reference in snapshot.clear.envelopes {
                let session = reference.session
                guard lost[session] != nil || seen.insert(reference).inserted else { continue }
                if known[session] ?? 0 >= newest.generation, opens(reference, vault, newest) { continue }
                if let why = lost[session] {
                    note(snapshot, why)
                    continue
                }
                guard sealing.insert(session).inserted else { continue }
                do throws(Failure) {
                    let known = made[session]
                    let envelope = if let known { known } else { try seal(reference, vault, readers, newest) }
                    made[session] = envelope
                    waiting.append((session, envelope))
                } catch {
                    guard error.isOfOneObject else { throw error }
                    lost[session] = error.what
                    note(snapshot, error.what)
                }
            }
        }
        for start in stride(from: 0, to: waiting.count, by: Statement.mostResealed) {
            try put(Array(waiting[start..<min(start + Statement.mostResealed, waiting.count)]), vault, newest)
        }
        return (waiting.count, left)
    }

    /// Whether a session opens by the newest key alone, from this vault's own objects.
    private func opens(
        _ reference: ClearPart.SessionEnvelope, _ vault: Repository, _ newest: ReaderKey
    ) -> Bool {
        vault.log.state.wraps(of: reference).contains {
            (try? vault.opened(reference.session, $0, [newest])) != nil
        }
    }

    private func seal(
        _ reference: ClearPart.SessionEnvelope, _ vault: Repository, _ readers: [ReaderKey], _ newest: ReaderKey
    ) throws(Failure) -> Envelope {
        var problem: Failure?
        for source in [vault] + vaults.filter({ $0.vault != vault.vault }) {
            for digest in source.envelopes(of: reference.session, first: reference.envelope) {
                do throws(Failure) {
                    let (envelope, dataKey) = try source.opened(reference.session, digest, readers)
                    return try Envelope.seal(
                        dataKey: dataKey, repository: envelope.repository, session: envelope.session,
                        generation: newest.generation, reader: newest.publicKey, writer: envelope.writer,
                        ephemeral: surroundings.random(32))
                } catch {
                    if problem == nil || !error.isOfOneObject { problem = error }
                }
            }
        }
        throw problem ?? Failure(.notFound, "no envelope of session \(reference.session) is at hand")
    }

    private func put(
        _ envelopes: [(session: SessionID, envelope: Envelope)], _ vault: Repository, _ newest: ReaderKey
    ) throws {
        let session = SessionID.random(surroundings)
        var objects: [ObjectRef] = []
        var said: [Statement.Resealed] = []
        for (sealed, envelope) in envelopes {
            let object = try Repository.put(envelope.bytes, as: .envelope, session: session, vault.store)
            // As it lies there: the old one goes once this one stands.
            _ = try Envelope(try vault.objects.read(object.name)).open(newest)
            objects.append(object)
            said.append(Statement.Resealed(session: sealed, envelope: object.name.digest))
        }
        let statement = try Statement(
            .resealed(newest.generation, said), of: bundle.repository, root: bundle.root)
        try vault.appendAsSite { _ in .reseal(statement, objects) }
    }
}
