internal import ObjectStore
internal import Platform
internal import Repository
internal import Sealing

/// Brings whole packs into one session of the destination, a few at a time. Each is verified by its hash tree before
/// it is put, and read back after.
///
/// A long line is kept busy both ways: while some packs are put, others are read back, of which only digests are kept
/// meanwhile.
struct PackTransfer: Sendable {
    struct Tally: Sendable {
        var put: [ObjectRef] = []
        var packs = 0
        var resumed = 0
        var bytes: UInt64 = 0
    }

    let source: Repository
    let target: Repository
    let session: SessionID
    let meter: CopyMeter
    /// Packs that are in memory at the same time, at most.
    let workers: Int
    let isCancelled: @Sendable () -> Bool
    private let held = Monitor(0)

    init(
        source: Repository, target: Repository, session: SessionID, meter: CopyMeter, workers: Int,
        isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.source = source
        self.target = target
        self.session = session
        self.meter = meter
        self.workers = workers
        self.isCancelled = isCancelled
    }

    /// Everything that was put is in `tally`, whatever is thrown.
    func run(_ roots: [Digest], tally: Monitor<Tally>) throws {
        // Enough of them that while some read back as many others put as may: reading back takes as long, or longer.
        try Workers.each(roots, on: 3 * workers - 2) { root in
            if isCancelled() { throw Failure(.cancelled, "the copy was asked to stop") }
            try bring(root, tally)
        }
    }

    private func bring(_ root: Digest, _ tally: Monitor<Tally>) throws {
        let name = ObjectName(kind: .pack, digest: root, session: session)
        let key = try name.key()
        if let length = try target.store.length(of: key) {
            do throws(Failure) { try verify(name, key, length) } catch { throw SessionSpoiled.meaning(error) }
            tally.access {
                $0.put.append(ObjectRef(name: name, length: length))
                $0.resumed += 1
            }
            meter.add(length)
            return
        }
        let (length, digests) = try put(key, root)
        do throws(Failure) {
            try target.store.forEachPiece(of: key, length: length) { number, piece throws(Failure) in
                guard SHA256.hash(piece) == digests[number] else {
                    throw Failure(.damaged, "\(name) in \(target.store.location) does not read back as it was put")
                }
            }
        } catch { throw SessionSpoiled.meaning(error) }
        tally.access {
            $0.put.append(ObjectRef(name: name, length: length))
            $0.packs += 1
            $0.bytes += length
        }
        meter.add(length)
    }

    /// A pack that an interrupted copy put.
    private func verify(_ name: ObjectName, _ key: StoreKey, _ length: UInt64) throws(Failure) {
        guard length <= ObjectKind.pack.largest else { throw Failure(.damaged, "\(name) is too long") }
        held.access(when: { $0 < workers }) { $0 += 1 }
        defer { held.access { $0 -= 1 } }
        try PackLayout.verify(
            try target.store.getInPieces(key, length: length), root: name.digest, name: name.path)
    }

    /// Fetches a pack, puts it, and says what must read back.
    private func put(_ key: StoreKey, _ root: Digest) throws -> (length: UInt64, digests: [Digest]) {
        held.access(when: { $0 < workers }) { $0 += 1 }
        defer { held.access { $0 -= 1 } }
        let bytes = try OriginProblem.marking { () throws(Failure) in try download(root) }
        do throws(Failure) {
            try target.store.putSettled(key, bytes, use: .data)
        } catch { throw SessionSpoiled.meaning(error) }
        return (UInt64(bytes.count), Pieces.digests(of: bytes))
    }

    /// The pack from any of the names it has at the origin, good ones first.
    private func download(_ root: Digest) throws(Failure) -> [UInt8] {
        let state = source.log.state
        var problem: Failure?
        for name in state.names(of: .pack, root) {
            guard let held = state.objects[name] else { continue }
            do throws(Failure) {
                let bytes = try source.store.getInPieces(try name.key(), length: held.length)
                try PackLayout.verify(bytes, root: root, name: "\(name) in \(source.store.location)")
                return bytes
            } catch  where error.code == .damaged || error.code == .notFound { problem = problem ?? error }
        }
        throw problem ?? Failure(.notFound, "pack \(root) is not in \(source.store.location)")
    }
}
