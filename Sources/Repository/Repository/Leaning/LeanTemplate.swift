internal import ObjectStore
package import Platform
internal import Sealing

/// A snapshot of a base repository, the template, on which the disks of a backup in another repository lean: a block that
/// the template's disks hold is not stored again, but named as the base names it.
///
/// Only what the template's own tree refers to is leant on, not whatever lies in its packs beside that: packs are repacked
/// by what trees refer to, in each vault at another time, and the base does not see who leans.
///
/// Safe to use from several threads.
package final class LeanTemplate: Sendable {
    package let base: Repository
    /// The template's manifest.
    package let snapshot: Digest
    private let claim: ClaimID
    private let secret: WriterSecret
    private let index: ChunkIndex
    /// For each pack of the index, whether the template's sets name it.
    private let isOfTemplate: [Bool]
    private let state: Monitor<State>

    private struct State: Sendable {
        /// What the template's disks refer to.
        var blocks: FreshChunks
        var presence = PackPresence()
        var bytes: UInt64 = 0
    }

    /// - Parameter claim: by which the template is held in the base's log.
    init(_ snapshot: Snapshot, in base: Repository, claim: ClaimID) throws {
        guard let secret = base.keys.secret else {
            throw Failure(.refused, "leaning on \(base.store.location) needs its keys")
        }
        self.base = base
        self.snapshot = snapshot.id
        self.claim = claim
        self.secret = secret
        index = try base.loadIndex(for: .writing).index
        let state = base.log.state
        var isOfTemplate = [Bool](repeating: false, count: index.packs.count)
        for root in try state.roots(of: snapshot.clear, base.log.pages) {
            for pack in state.packs(for: root) {
                for ordinal in index.ordinals(of: pack) { isOfTemplate[Int(ordinal)] = true }
            }
        }
        self.isOfTemplate = isOfTemplate
        self.state = Monitor(State(blocks: try Self.blocks(of: snapshot, base, secret)))
    }

    private static func blocks(
        of snapshot: Snapshot, _ base: Repository, _ secret: WriterSecret
    ) throws -> FreshChunks {
        var blocks = FreshChunks(
            IndexOwner(secret: secret, repository: base.id, vault: base.vault), base.resources, base.surroundings)
        let reader = try SnapshotReader(base, snapshot)
        for stream in snapshot.part.streams {
            guard case .disk(let disk) = stream.content else { continue }
            try DiskReader(reader, disk).forEachBlock { _, id in
                if !blocks.contains(id) { try blocks.insert(id) }
            }
        }
        return blocks
    }

    /// The base's name of a block, if the template holds it and its pack stands.
    func find(contentHash: Digest, length: UInt64) -> ChunkID? {
        let id = secret.chunkID(contentHash: contentHash)
        return take(id, length: length) ? id : nil
    }

    /// Leans on a block by its name.
    /// - Returns: false, and nothing is leant on, unless the template holds it and its pack stands.
    func take(_ id: ChunkID, length: UInt64) -> Bool {
        state.access { state in
            guard state.blocks.contains(id) else { return false }
            let known = index.find(id) { pack in
                isOfTemplate[Int(pack)] && state.presence.has(pack, of: index, in: base)
            }
            guard let known, UInt64(known.length) == length else { return false }
            state.bytes += length
            return true
        }
    }

    /// Bytes that were leant on instead of being stored.
    package var bytes: UInt64 { state.access { $0.bytes } }

    /// What a manifest says of it; nil when nothing was leant on.
    /// - Throws: `.refused` when the template is not held any more; what reading the base's log throws.
    func lean() throws(Failure) -> ClearPart.Lean? {
        guard bytes > 0 else { return nil }
        let now = try base.log.refresh()
        guard now.claims[claim] != nil, now.snapshots[snapshot] != nil else {
            throw Failure(
                .refused, "template \(snapshot.hex.prefix(12)) in \(base.store.location) was let go of meanwhile",
                advice: "Run the backup again.")
        }
        return ClearPart.Lean(template: base.id, snapshot: snapshot)
    }

    /// Sees that the template stays locked for the term of its own vault, where that locks; before a commit that leans on it.
    /// - Throws: as `Repository.retain`.
    func retain() throws {
        guard let committed = base.log.state.snapshots[snapshot] else { return }
        try base.retain(committed)
    }
}
