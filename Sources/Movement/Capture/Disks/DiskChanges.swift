package import Platform
package import Repository
import Sealing

/// What a change map and the snapshot from which it counts say together: what of a disk need not be read.
package struct DiskChanges {
    package let map: ChangeMap
    /// The disk as it was.
    package let earlier: EarlierDisk

    /// - Parameters:
    ///   - path: of the change map.
    ///   - since: the id of the snapshot from which it counts, or the beginning of it.
    ///   - name: the desktop's.
    ///   - disk: what it is called and how large it is, now and then.
    ///   - memory: what tells its blocks to those who cannot read the snapshot.
    /// - Throws: why the map tells nothing, so that the whole disk is read.
    package static func find(
        _ path: AbsolutePath, since: String, of name: String, _ disk: EarlierDisk.Name, memory: DiskMemory? = nil,
        in repository: Repository
    ) throws(Failure) -> DiskChanges {
        let map = try ChangeMap(at: path, size: disk.size)
        let id = try repository.snapshotID(since)
        guard let committed = repository.log.state.snapshots[id], let secret = repository.keys.secret else {
            throw Failure(.notFound, "no snapshot's id begins with \(since)")
        }
        let short = id.hex.prefix(12)
        guard committed.clear.desktop == secret.desktop(named: name) else {
            throw Failure(.refused, "snapshot \(short), from which the map counts, is not one of \(name)")
        }
        guard repository.isTrusted(committed) else {
            throw Failure(.refused, "the writer of snapshot \(short), from which the map counts, was revoked")
        }
        guard repository.keys.readers.isEmpty else {
            return DiskChanges(map: map, earlier: try earlier(disk, in: try repository.snapshot(committed), repository))
        }
        guard let earlier = memory?.recall(id, disk) else {
            throw Failure(
                .refused,
                "without a key to read with, snapshot \(short) is not known: it was not the last backup of this "
                    + "disk that was made here")
        }
        return DiskChanges(map: map, earlier: earlier)
    }

    private static func earlier(
        _ disk: EarlierDisk.Name, in snapshot: Snapshot, _ repository: Repository
    ) throws(Failure) -> EarlierDisk {
        let short = snapshot.id.hex.prefix(12)
        guard snapshot.part.incomplete == 0 else {
            throw Failure(.refused, "snapshot \(short), from which the map counts, is incomplete")
        }
        let streams = snapshot.part.streams.compactMap { stream -> DiskRef? in
            if case .disk(let held) = stream.content, stream.label == disk.label { held } else { nil }
        }
        guard let held = streams.first, streams.count == 1 else {
            throw Failure(.notFound, "snapshot \(short), from which the map counts, does not hold this disk")
        }
        guard held.size == disk.size else {
            throw Failure(
                .refused,
                "the disk had \(held.size) bytes in snapshot \(short), from which the map counts, and has \(disk.size)")
        }
        return EarlierDisk(forEachBlock: DiskReader(try SnapshotReader(repository, snapshot), held).forEachBlock)
    }
}
