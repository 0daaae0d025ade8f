internal import ObjectStore
internal import Platform
internal import Sealing

/// Takes chunks out of packs and seals them into new ones, under the key of the session that first sealed them: each new
/// pack with a salt of its own as every pack, so that the envelopes which the snapshots carry open them.
///
/// Every chunk is held to its id before it is sealed, and each new pack is opened and compared before it counts.
final class Resealing {
    private let repository: Repository
    private let secret: WriterSecret
    private let origin: SessionID
    private let limits = PackWriter.Limits()
    private let target: (session: SessionID, writer: PackWriter)?
    private let isCancelled: @Sendable () -> Bool
    private var groups: [ChunkKind: PackWriter.Group] = [:]
    /// The chunks that were taken.
    private(set) var done: Set<ChunkID> = []
    /// Sealed bytes of the frames that were read for them.
    private(set) var bytesRead: UInt64 = 0

    /// - Parameters:
    ///   - origin: the session whose key seals them, and its envelope.
    ///   - session: under whose name the packs are put; nil to put none and only see what can be taken.
    /// - Throws: what opening the envelope throws.
    init(
        _ repository: Repository, _ secret: WriterSecret, of origin: SessionID, envelope: Digest,
        into session: SessionID?, isCancelled: @escaping @Sendable () -> Bool
    ) throws(Failure) {
        self.repository = repository
        self.secret = secret
        self.origin = origin
        self.isCancelled = isCancelled
        guard let session else {
            target = nil
            return
        }
        let key = try repository.sessionKey(origin, envelope: envelope)
        target = (
            session,
            PackWriter(
                store: repository.store, session: session, key: key, secret: secret, limits: limits, level: 3,
                workers: 1, surroundings: repository.surroundings)
        )
    }

    /// Takes what is wanted of a pack and was not taken before.
    ///
    /// - Parameter failed: told of a frame that does not open, and of a chunk that is not what its id promises; what it
    ///   throws ends the work.
    func take(
        _ wanted: Set<ChunkID>, of root: Digest, _ table: PackTable, _ opener: PackOpener,
        failed: (Failure) throws -> Void
    ) throws {
        func isLacking(_ chunk: ChunkRef) -> Bool { wanted.contains(chunk.id) && !done.contains(chunk.id) }
        var offset = UInt32(PackLayout.headerByteCount)
        for (number, frame) in table.frames.enumerated() {
            defer { offset &+= frame.sealedLength }
            guard frame.chunks.contains(where: isLacking) else { continue }
            if isCancelled() { throw Failure(.cancelled, "sealing packs anew was asked to stop") }
            let bytes: [UInt8]
            do throws(Failure) {
                bytes = try opener.frame(root, UInt32(number), offset: offset, sealedLength: frame.sealedLength)
            } catch {
                try failed(error)
                continue
            }
            bytesRead += UInt64(frame.sealedLength)
            var inside = 0
            for chunk in frame.chunks {
                let end = inside + Int(chunk.length)
                guard end <= bytes.count else {
                    try failed(Failure(.damaged, "pack \(root) has a frame cut short"))
                    break
                }
                defer { inside = end }
                guard isLacking(chunk) else { continue }
                let piece = bytes[inside..<end]
                let hash = unsafe piece.withUnsafeBytes { unsafe SHA256.hash($0) }
                guard secret.chunkID(contentHash: hash) == chunk.id else {
                    try failed(Failure(.damaged, "chunk \(chunk.id) in pack \(root) is not what its id promises"))
                    continue
                }
                done.insert(chunk.id)
                try add(chunk, piece, frame.kind)
            }
        }
    }

    private func add(_ chunk: ChunkRef, _ bytes: ArraySlice<UInt8>, _ kind: ChunkKind) throws(Failure) {
        guard let target else { return }
        var group = groups.removeValue(forKey: kind) ?? .init(kind: kind, bytes: [], chunks: [])
        if !limits.hasRoom(for: bytes.count, in: group), !group.chunks.isEmpty {
            try target.writer.submit(group)
            group = .init(kind: kind, bytes: [], chunks: [])
        }
        group.bytes += bytes
        group.chunks.append(chunk)
        if limits.isFull(group) { try target.writer.submit(group) } else { groups[kind] = group }
    }

    /// The new packs, in the store and verified; none where nothing was taken.
    func finish() throws -> [PackWriter.Finished] {
        guard let target else { return [] }
        do {
            for kind in ChunkKind.allCases { if let group = groups[kind] { try target.writer.submit(group) } }
        } catch {
            stop()
            throw error
        }
        groups = [:]
        return try target.writer.finish()
    }

    /// Drops what is under way.
    func stop() { target?.writer.stop() }

    /// Puts segments that tell of new packs.
    func putSegments(_ packs: [PackWriter.Finished]) throws -> [ObjectRef] {
        guard let target else { return [] }
        return try packs.map { pack in
            // One for each pack: few are written, and each stays within what a segment may hold.
            let entries = pack.table.entries(pack: 0).sorted { ($0.id, $0.pack) < ($1.id, $1.pack) }
            let segment = Segment(packs: [.init(root: pack.object.name.digest, origin: origin)], entries: entries)
            let bytes = try segment.seal(
                secret, repository: repository.id, salt: repository.surroundings.random(32))
            return try Repository.put(bytes, as: .segment, session: target.session, repository.store)
        }
    }
}
