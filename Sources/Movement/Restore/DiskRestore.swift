package import Platform
package import Repository
import Sealing
import Synchronization

/// Restores a disk to an image: a raw one, which is a file of exactly the disk's size with holes where the disk was
/// zeros, or one in the format qcow2.
///
/// The image is written under a temporary name beside its own, in the order in which its blocks lie in packs, and
/// gets its name once it is whole and durable (`NewFile`). A disk with a block missing is no disk: it is not left there.
package enum DiskRestore {
    package enum Format: String, Sendable, CaseIterable {
        case raw, qcow2
    }

    package struct Report: Sendable, Equatable {
        /// Bytes of the disk.
        package var bytes: UInt64 = 0
        /// Bytes written: zeros are not.
        package var bytesWritten: UInt64 = 0
        /// Temporary files of runs that were killed, which were taken away.
        package var leftovers: UInt64 = 0
    }

    /// Blocks fetched at once: 1 GiB of disk.
    private static let most = 1 << 14

    /// - Throws: `.refused` when something stands at `path`; `.notFound` when a template on which the disk leans is not at
    ///   hand; `.damaged` with the places of the disk that no vault at hand has; `.full`; what `watch` throws.
    package static func run(
        _ disk: DiskReader, to path: AbsolutePath, format: Format = .raw, workers: Int = 2, surroundings: Surroundings,
        watch: (@Sendable (RestoreProgress) throws -> Void)? = nil
    ) throws -> Report {
        try disk.reader.requireTemplates()
        return try NewFile.write(path, surroundings: surroundings) { new in
            let image = Image(new, disk: disk, watch: watch)
            let layout = format == .qcow2 ? try QCOW2Layout(disk) : nil
            try new.file.truncate(to: layout?.fileSize ?? disk.size)
            try layout?.write { try image.write($0, at: $1) }
            try fill(image, layout, workers: workers)
            return Report(
                bytes: disk.size, bytesWritten: image.state.withLock { $0.progress.bytes }, leftovers: new.leftovers)
        }
    }

    private static func fill(_ image: Image, _ layout: QCOW2Layout?, workers: Int) throws {
        var batch = Batch()
        var rank: UInt64 = 0
        try image.disk.forEachBlock { block, id in
            let offset = layout?.place(rank: rank) ?? block * UInt64(DiskRef.blockSize)
            batch.add(Place(block: block, offset: offset), id)
            rank += 1
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
            "\(damaged.count.counted("block of the disk is", "blocks of the disk are")) damaged, the first at byte "
                + "\(first * UInt64(DiskRef.blockSize))",
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

    /// A block of the disk, and where it goes in the image.
    private struct Place {
        var block: UInt64
        var offset: UInt64
    }

    /// Blocks that are wanted at once; equal blocks are fetched once.
    private struct Batch: Sendable {
        var wants: [SnapshotReader.Want] = []
        var places: [[Place]] = []
        var count = 0
        private var tags: [ChunkID: Int] = [:]

        mutating func add(_ place: Place, _ id: ChunkID) {
            count += 1
            if let tag = tags[id] {
                places[tag].append(place)
            } else {
                tags[id] = wants.count
                wants.append(SnapshotReader.Want(id: id, tag: wants.count))
                places.append([place])
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

        let new: NewFile
        let disk: DiskReader
        let watch: (@Sendable (RestoreProgress) throws -> Void)?
        let state = Mutex(State())

        init(_ new: NewFile, disk: DiskReader, watch: (@Sendable (RestoreProgress) throws -> Void)?) {
            self.new = new
            self.disk = disk
            self.watch = watch
        }

        func write(_ bytes: UnsafeRawBufferPointer, to places: [Place]) throws {
            for place in places {
                guard bytes.count == disk.length(of: place.block) else {
                    miss([place], Failure(.damaged, "block \(place.block) of the disk has \(bytes.count) bytes"))
                    continue
                }
                try unsafe new.file.write(bytes, at: place.offset)
                state.withLock { $0.progress.bytes += UInt64(bytes.count) }
            }
            try watch?(state.withLock { $0.progress })
        }

        func write(_ bytes: [UInt8], at offset: UInt64) throws {
            try unsafe bytes.withUnsafeBytes { try unsafe new.file.write($0, at: offset) }
        }

        func miss(_ places: [Place], _ failure: Failure) {
            state.withLock { state in
                state.damaged += places.map(\.block)
                state.problem = state.problem ?? failure
            }
        }
    }
}
