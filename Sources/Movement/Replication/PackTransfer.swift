internal import ObjectStore
internal import Platform
internal import Repository
internal import Sealing

/// Brings whole packs into one session of the destination, a few at a time. Each is verified by its hash tree before
/// it is put, and read back after.
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
    let isCancelled: @Sendable () -> Bool

    /// Everything that was put is in `tally`, whatever is thrown.
    func run(_ roots: [Digest], workers: Int, tally: Monitor<Tally>) throws {
        try Workers.each(roots, on: workers) { root in
            if isCancelled() { throw Failure(.cancelled, "the copy was asked to stop") }
            try bring(root, tally)
        }
    }

    private func bring(_ root: Digest, _ tally: Monitor<Tally>) throws {
        let name = ObjectName(kind: .pack, digest: root, session: session)
        let key = try name.key()
        if let length = try target.store.length(of: key) {
            do throws(Failure) {
                guard length <= ObjectKind.pack.largest else { throw Failure(.damaged, "\(name) is too long") }
                try PackLayout.verify(try target.store.get(key, range: 0..<length), root: root, name: name.path)
            } catch { throw SessionSpoiled.meaning(error) }
            tally.access {
                $0.put.append(ObjectRef(name: name, length: length))
                $0.resumed += 1
            }
            meter.add(length)
            return
        }
        let bytes = try OriginProblem.marking { () throws(Failure) in try download(root) }
        do throws(Failure) {
            try target.store.putSettled(key, bytes, use: .data)
            guard try target.store.get(key, range: 0..<UInt64(bytes.count)) == bytes else {
                throw Failure(.damaged, "\(name) in \(target.store.location) does not read back as it was put")
            }
        } catch { throw SessionSpoiled.meaning(error) }
        tally.access {
            $0.put.append(ObjectRef(name: name, length: UInt64(bytes.count)))
            $0.packs += 1
            $0.bytes += UInt64(bytes.count)
        }
        meter.add(UInt64(bytes.count))
    }

    /// The pack from any of the names it has at the origin, good ones first.
    private func download(_ root: Digest) throws(Failure) -> [UInt8] {
        let state = source.log.state
        var problem: Failure?
        for name in state.names(of: .pack, root) {
            guard let held = state.objects[name] else { continue }
            do throws(Failure) {
                let bytes = try source.store.get(try name.key(), range: 0..<held.length)
                try PackLayout.verify(bytes, root: root, name: "\(name) in \(source.store.location)")
                return bytes
            } catch  where error.code == .damaged || error.code == .notFound { problem = problem ?? error }
        }
        throw problem ?? Failure(.notFound, "pack \(root) is not in \(source.store.location)")
    }
}
