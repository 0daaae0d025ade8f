internal import ObjectStore
internal import Platform
internal import Sealing

/// Makes anew what a pack held, chunk by chunk, where no vault has its blocks: what was repacked here lies in another
/// vault in the packs that it was made of, and what was stored again lies in newer ones.
///
/// 1. What it held: by its own table, or by a segment. 2. See which chunks can be had, and are what their ids promise: from
/// what still opens of the pack itself; from the packs, in any vault at hand, in which its content lies by the log there;
/// from any other pack in which an index finds them. 3. Unless the pack's own hash tree vouches for its table and every
/// chunk was found, follow the references of each snapshot that needs the pack: they must lead to what was found, or to
/// other packs. Neither a segment that lies nor a vault that shows another pack's table makes what is needed go.
/// 4. Seal the chunks into new packs, as repacking does (`Resealing`).
///
/// All that is needed or nothing: half of it in new packs would hide from a keyless check that the rest is lost. It needs
/// the passphrase, as repacking does.
final class PackRemake {
    struct Remade {
        var move: RecordBody.Relocation
        /// The record at which references were followed; nil where nothing can have been left out.
        var counted: UInt64?
        var how: String
    }

    private let repository: Repository
    private let secret: WriterSecret
    private let isDryRun: Bool
    private let isCancelled: @Sendable () -> Bool
    /// This vault and the others, each by itself: so it is known where a chunk came from, and that one does not answer.
    private let vaults: [(repository: Repository, opener: PackOpener)]
    private let envelopes: [SessionID: Digest]
    private var indexes: [ChunkIndex?]
    /// Of other vaults' frames, each chunk's once: the look before and the taking are one fetching.
    private(set) var bytesFetched: UInt64 = 0

    /// A pack to take from, and in which of the vaults.
    private struct Source: Hashable {
        var vault: Int
        var root: Digest
    }

    /// Nil without the keys that it needs.
    init?(_ repository: Repository, isDryRun: Bool, isCancelled: @escaping @Sendable () -> Bool) {
        guard let secret = repository.keys.secret, !repository.keys.readers.isEmpty else { return nil }
        self.repository = repository
        self.secret = secret
        self.isDryRun = isDryRun
        self.isCancelled = isCancelled
        var keys = repository.keys
        keys.site = nil
        let all = [repository] + repository.alternates.map { $0.with(keys) }
        envelopes = all.reduce(into: [:]) { $0.merge($1.log.state.envelopes) { first, _ in first } }
        vaults = all.map { [envelopes] in ($0, PackOpener(repository, envelopes: envelopes, in: [$0])) }
        indexes = vaults.map { _ in nil }
    }

    /// - Parameter length: of the pack, by the log.
    /// - Throws: `.notFound`, with what is lacking.
    func run(_ root: Digest, length: UInt64, _ session: RepairSession) throws -> Remade {
        guard let held = try contents(of: root, length) else {
            throw Failure(.notFound, "nothing at hand tells what it held")
        }
        let state = try repository.log.refresh()
        guard let envelope = envelopes[held.origin], try isCarried(held.origin, for: root, state) else {
            throw Failure(.notFound, "no envelope of the session that sealed it can be used")
        }
        func reseal(_ wanted: Set<ChunkID>, _ session: SessionID?) throws -> (resealing: Resealing, from: [String]) {
            let resealing = try Resealing(
                repository, secret, of: held.origin, envelope: envelope, into: session, isCancelled: isCancelled)
            do {
                return (resealing, try gather(wanted, of: root, held, state, resealing))
            } catch {
                resealing.stop()
                throw error
            }
        }
        let wanted = Set(held.table.frames.flatMap { $0.chunks.map(\.id) })
        let (found, from) = try reseal(wanted, nil)
        guard !found.done.isEmpty else {
            throw Failure(.notFound, "none of its \(wanted.count.counted("chunk", "chunks")) is in any vault at hand")
        }
        let isAll = held.isProven && found.done == wanted
        let lost = wanted.count - found.done.count
        let lacking =
            lost == 0
            ? "what it held is not known for sure"
            : "\(lost) of its \(wanted.count.counted("chunk", "chunks")) cannot be had from any vault at hand"
        if !isAll { _ = try follow(to: found.done, root, else: lacking) }
        let how = "\(found.done.count.counted("chunk", "chunks")) sealed anew, from \(from.joined(separator: " and "))"
        guard !isDryRun else { return Remade(move: .init(root: root, objects: []), counted: nil, how: how) }
        let own = try session.open()
        // Again, in a state in which the claim stands: what another session claims or commits from here on makes the
        // move void.
        let counted = isAll ? nil : try follow(to: found.done, root, else: lacking)
        let fetched = bytesFetched
        let (resealing, _) = try reseal(found.done, own)
        bytesFetched = fetched
        let packs = try resealing.finish()
        guard resealing.done == found.done else {
            throw Failure(.notFound, "what was there a moment ago is not there any more")
        }
        let segments = try resealing.putSegments(packs)
        return Remade(
            move: .init(root: root, objects: packs.map(\.object) + segments), counted: counted, how: how)
    }

    // MARK: - 1. What it held

    private struct Contents {
        var table: PackTable
        var origin: SessionID
        /// By the pack's own hash tree it is the table that was written.
        var isProven = false
        /// Of a segment, which does not know what kind the frames are.
        var knowsKinds = true
    }

    private func contents(of root: Digest, _ length: UInt64) throws(Failure) -> Contents? {
        var unproven: Contents?
        for (place, vault) in vaults.enumerated() {
            do throws(Failure) {
                let (origin, table) = try vault.opener.contents(root)
                if place == 0, try isProven(table, root, length) {
                    return Contents(table: table, origin: origin, isProven: true)
                }
                unproven = unproven ?? Contents(table: table, origin: origin)
            } catch { guard error.isOfOneObject else { throw error } }
        }
        return try segment(of: root, length) ?? unproven
    }

    /// Whether the blocks in which the pack's header, table and footer lie are those that its root promises.
    private func isProven(_ table: PackTable, _ root: Digest, _ length: UInt64) throws(Failure) -> Bool {
        guard let body = PackLayout.bodyLength(of: length) else { return false }
        let frames = table.frames.reduce(UInt64(PackLayout.headerByteCount)) { $0 + UInt64($1.sealedLength) }
        let block = UInt64(HashTree.blockSize)
        guard frames < body else { return false }
        for name in repository.log.state.names(of: .pack, root) {
            do throws(Failure) {
                let key = try name.key()
                let tail = try repository.store.get(key, range: body..<length)
                guard let leaves = PackCheck.leaves(tail, of: root, length: length) else { continue }
                var isWhole = true
                for piece in [0..<min(block, body), frames / block * block..<body] {
                    let bytes = try repository.store.get(key, range: piece)
                    isWhole =
                        isWhole && bytes.count == piece.count
                        && PackCheck.compare(bytes, from: Int(piece.lowerBound / block), leaves).isEmpty
                }
                if isWhole { return true }
            } catch { guard error.isOfOneObject else { throw error } }
        }
        return false
    }

    private func segment(of root: Digest, _ length: UInt64) throws(Failure) -> Contents? {
        let distrusted = repository.distrustedSessions(repository.log.state)
        for (vault, _) in vaults {
            let state = vault.log.state
            // As a rule the session that put the pack tells of it.
            let writers = Set(state.names(of: .pack, root).map(\.session))
            let names = state.objects.filter { name, held in
                name.kind == .segment && held.status != .condemned && !distrusted.contains(name.session)
            }
            for name in names.map(\.key).sorted(by: { left, right in
                (writers.contains(left.session) ? 0 : 1, left) < (writers.contains(right.session) ? 0 : 1, right)
            }) {
                do throws(Failure) {
                    let segment = try Segment(
                        try vault.objects.read(name), secret, repository: repository.id, name: name.path)
                    guard let place = segment.packs.firstIndex(where: { $0.root == root }),
                        let table = PackTable(
                            segment.entries.filter { Int($0.pack) == place }, packLength: length)
                    else { continue }
                    return Contents(table: table, origin: segment.packs[place].origin, knowsKinds: false)
                } catch { guard error.isOfOneObject else { throw error } }
            }
        }
        return nil
    }

    /// Whether every snapshot that needs the pack has an envelope of the session under whose key it is sealed anew: a
    /// segment is a hint, and one that lied about that would make what was whole unreadable.
    private func isCarried(_ origin: SessionID, for root: Digest, _ state: LogState) throws(Failure) -> Bool {
        for snapshot in state.neededSnapshots where try state.needs(of: snapshot, repository.log.pages).contains(root) {
            guard snapshot.clear.envelopes.contains(where: { $0.session == origin }) else { return false }
        }
        return true
    }

    // MARK: - 2. Where it is

    /// - Returns: where what was taken lay.
    private func gather(
        _ wanted: Set<ChunkID>, of root: Digest, _ held: Contents, _ state: LogState, _ resealing: Resealing
    ) throws -> [String] {
        var tried: Set<Source> = []
        var from: [String] = []
        func take(_ source: Source, _ known: PackTable? = nil) throws {
            guard tried.insert(source).inserted, !wanted.isSubset(of: resealing.done) else { return }
            let vault = vaults[source.vault]
            let before = (chunks: resealing.done.count, bytes: resealing.bytesRead)
            let table: PackTable
            do throws(Failure) {
                if let known { table = known } else { table = try vault.opener.table(source.root) }
            } catch {
                guard error.isOfOneObject else { throw error }
                return
            }
            try resealing.take(wanted, of: source.root, table, vault.opener) { failure in
                guard failure.isOfOneObject else { throw failure }
            }
            if source.vault > 0 { bytesFetched += resealing.bytesRead - before.bytes }
            guard resealing.done.count > before.chunks else { return }
            let place = source.vault == 0 ? "what lies here" : vault.repository.store.location
            if !from.contains(place) { from.append(place) }
        }
        if held.knowsKinds { for vault in vaults.indices { try take(Source(vault: vault, root: root), held.table) } }
        let roots = state.roots(in: root)
        for (place, vault) in vaults.enumerated() {
            for pack in Set(roots.flatMap(vault.repository.log.state.packs(for:))).sorted() where pack != root {
                try take(Source(vault: place, root: pack))
            }
        }
        // Last, since their kind is known of the others.
        if !held.knowsKinds { for vault in vaults.indices { try take(Source(vault: vault, root: root), held.table) } }
        for place in vaults.indices where !wanted.isSubset(of: resealing.done) {
            let index = try index(of: place)
            while true {
                var found: Set<Digest> = []
                for id in wanted where !resealing.done.contains(id) {
                    let entry = index.find(id) { pack in
                        !tried.contains(Source(vault: place, root: index.packs[Int(pack)].root))
                    }
                    if let entry { found.insert(index.packs[Int(entry.pack)].root) }
                }
                guard !found.isEmpty else { break }
                for pack in found.sorted() { try take(Source(vault: place, root: pack)) }
            }
        }
        return from
    }

    private func index(of vault: Int) throws(Failure) -> ChunkIndex {
        if let known = indexes[vault] { return known }
        let made = try vaults[vault].repository.loadIndex(for: .reading).index
        indexes[vault] = made
        return made
    }

    // MARK: - 3. What is left out

    /// That whatever a snapshot which needs the pack refers to was found, or lies in another pack.
    /// - Returns: the record by whose state it was seen.
    /// - Throws: `.notFound` when something is left out, or nobody can tell.
    private func follow(to found: Set<ChunkID>, _ root: Digest, else lacking: String) throws -> UInt64 {
        let state = try repository.log.refresh()
        let index = try index(of: 0)
        var walk = try ReferenceWalk(repository, isCancelled: isCancelled) { id, reader in
            guard !found.contains(id) else { return }
            do throws(Failure) {
                guard try reader.pack(of: id) == root else { return }
            } catch {
                // Of what may be a template's, which is not at hand, nothing is in the pack.
                guard error.code == .notFound, !reader.snapshot.clear.leans.isEmpty else { throw error }
                return
            }
            throw Failure(.notFound, "chunk \(id)")
        }
        for committed in state.neededSnapshots {
            guard try state.needs(of: committed, repository.log.pages).contains(root) else { continue }
            guard !committed.clear.isStage else {
                throw Failure(.notFound, "\(lacking), and an unfinished backup holds what it stored")
            }
            do {
                let snapshot = try repository.snapshot(committed)
                try walk.walk(snapshot, try SnapshotReader(repository, snapshot, index: index))
            } catch let failure as Failure where failure.isOfOneObject {
                throw Failure(.notFound, "\(lacking), and a snapshot refers to what is lost: \(failure.what)")
            }
        }
        return state.head
    }
}
