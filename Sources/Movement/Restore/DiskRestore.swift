import Glibc
package import Platform
package import Repository
import Sealing
import Synchronization

/// Restores a disk to a raw image: a file of exactly the disk's size, with holes where the disk was zeros.
///
/// The image is written under a temporary name beside its own, in the order in which its blocks lie in packs, and
/// gets its name once it is whole and durable. A disk with a block missing is no disk: it is not left there.
package enum DiskRestore {
    package struct Report: Sendable, Equatable {
        /// Bytes of the disk.
        package var bytes: UInt64 = 0
        /// Bytes written: zeros are not.
        package var bytesWritten: UInt64 = 0
    }

    /// Blocks fetched at once: 1 GiB of disk.
    private static let most = 1 << 14

    /// - Throws: `.refused` when something stands at `path`; `.damaged` with the places of the disk that no vault at
    ///   hand has; `.full`; what `watch` throws.
    package static func run(
        _ disk: DiskReader, to path: AbsolutePath, workers: Int = 2, surroundings: Surroundings,
        watch: (@Sendable (RestoreProgress) throws -> Void)? = nil
    ) throws -> Report {
        guard let name = path.components.last else {
            throw Failure(.usage, "\(path) cannot be a disk image", advice: "Name a file that does not exist yet")
        }
        let directory = try Directory(at: AbsolutePath(components: path.components.dropLast()).bytes)
        guard try directory.status(of: name) == nil else { throw taken(path) }
        let temporary = Array((".breakwater-" + Hex.encode(surroundings.random(8))).utf8)
        let number = try directory.openBeneath(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        let image = Image(Descriptor(owning: number, label: path.description), disk: disk, watch: watch)
        do {
            try image.file.truncate(to: disk.size)
            try fill(image, workers: workers)
            try image.file.sync()
            if try !directory.move(temporary, to: directory, as: name) { throw taken(path) }
            try directory.synchronize()
        } catch {
            _ = try? directory.remove(temporary)
            throw error
        }
        return Report(bytes: disk.size, bytesWritten: image.state.withLock { $0.progress.bytes })
    }

    private static func taken(_ path: AbsolutePath) -> Failure {
        Failure(.refused, "\(path) exists already", advice: "Nothing was changed. Name a file that does not exist")
    }

    private static func fill(_ image: Image, workers: Int) throws {
        var batch = Batch()
        try image.disk.forEachBlock { block, id in
            batch.add(block, id)
            if batch.count >= most {
                try fetch(batch, image, workers: workers)
                batch = Batch()
            }
        }
        try fetch(batch, image, workers: workers)
        let damaged = image.state.withLock { $0.damaged }.sorted()
        guard let first = damaged.first else { return }
        throw Failure(
            .damaged,
            "\(damaged.count) blocks of the disk are damaged, the first at byte \(first * UInt64(DiskRef.blockSize))",
            advice: "No image was left. Name the other vault with --also, or restore another snapshot",
            cause: image.state.withLock { $0.problem })
    }

    private static func fetch(_ batch: Batch, _ image: Image, workers: Int) throws {
        guard batch.count > 0 else { return }
        try unsafe image.disk.reader.fetch(
            batch.wants, workers: workers,
            deliver: { tag, bytes in try unsafe image.write(bytes, to: batch.places[tag]) },
            failed: { tag, failure in image.miss(batch.places[tag], failure) })
    }

    /// Blocks that are wanted at once; equal blocks are fetched once.
    private struct Batch: Sendable {
        var wants: [SnapshotReader.Want] = []
        var places: [[UInt64]] = []
        var count = 0
        private var tags: [ChunkID: Int] = [:]

        mutating func add(_ block: UInt64, _ id: ChunkID) {
            count += 1
            if let tag = tags[id] {
                places[tag].append(block)
            } else {
                tags[id] = wants.count
                wants.append(SnapshotReader.Want(id: id, tag: wants.count))
                places.append([block])
            }
        }
    }

    /// The image while it fills, from several threads.
    private final class Image: Sendable {
        struct State {
            var progress = RestoreProgress()
            var damaged: [UInt64] = []
            var problem: Failure?
        }

        let file: Descriptor
        let disk: DiskReader
        let watch: (@Sendable (RestoreProgress) throws -> Void)?
        let state = Mutex(State())

        init(_ file: consuming Descriptor, disk: DiskReader, watch: (@Sendable (RestoreProgress) throws -> Void)?) {
            self.file = file
            self.disk = disk
            self.watch = watch
        }

        func write(_ bytes: UnsafeRawBufferPointer, to blocks: [UInt64]) throws {
            for block in blocks {
                guard bytes.count == disk.length(of: block) else {
                    miss([block], Failure(.damaged, "block \(block) of the disk has \(bytes.count) bytes"))
                    continue
                }
                try unsafe file.write(bytes, at: block * UInt64(DiskRef.blockSize))
                state.withLock { $0.progress.bytes += UInt64(bytes.count) }
            }
            try watch?(state.withLock { $0.progress })
        }

        func miss(_ blocks: [UInt64], _ failure: Failure) {
            state.withLock { state in
                state.damaged += blocks
                state.problem = state.problem ?? failure
            }
        }
    }
}
