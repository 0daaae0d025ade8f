package import Platform
import Repository
import Sealing
import Synchronization

/// Restores what a plan says below a directory, and nowhere else.
///
/// 1. Nothing of what is to be made may stand already (unless the options allow updating).
/// 2. The tree is walked. Directories are made, closed to others; from those that stood, temporary files of a restore that
///    was killed are taken away; links, FIFOs and devices are made; of files the chunks are noted.
/// 3. Whenever enough chunks are noted they are fetched in the order in which they lie in packs, by several threads,
///    and written under temporary names. A file gets its own name when its last chunk is there: what bears its name
///    is whole. Holes are left.
/// 4. Further names of files are linked; then directories get their attributes, the deepest first.
/// 5. Everything is made durable, and what arrived is counted.
///
/// What is damaged is reported by name and left out; the rest goes on. A full disk ends the restore.
package enum TreeRestore {
    /// - Throws: `.refused` when something stands in the way; `.full`; what `options.watch` throws. What could not be
    ///   restored is no error here: see `RestoreReport.failure`.
    package static func run(
        _ plan: RestorePlan, to target: AbsolutePath, surroundings: Surroundings
    ) throws -> RestoreReport {
        OpenFileLimit.raise()
        let run = try Run(plan, to: target, surroundings)
        do {
            try run.perform()
        } catch {
            run.abandon()
            throw error
        }
        return run.target.report.withLock { $0 }
    }

    private final class Run {
        let plan: RestorePlan
        let target: RestoreTarget
        private let delivery: Delivery
        private var batch = ChunkBatch()
        private var leading = LeadingDirectories()
        private let made: MadeDirectories
        private var groups: [UInt64: Group] = [:]
        private var links: [SnapshotWalk.Visit] = []

        /// The names of one file: the first is restored, the others are linked to it.
        private struct Group {
            var path: [UInt8]
            var entry: TreeEntry
            var job: FileJob?
            var failed = false
        }

        init(_ plan: RestorePlan, to path: AbsolutePath, _ surroundings: Surroundings) throws {
            self.plan = plan
            target = try RestoreTarget(
                path, existing: plan.options.existing, scratch: plan.reader.repository.resources.scratch,
                surroundings: surroundings)
            delivery = Delivery(target, watch: plan.options.watch)
            made = MadeDirectories { [target] () throws(Failure) in try target.makeNamelessFile() }
        }

        func perform() throws {
            // 1.
            if plan.options.existing == .refuse { try target.requireFree(plan.tops) }
            // 2.
            sweep([], holding: plan.root)
            let target = target
            let walk = SnapshotWalk(reader: plan.reader) { path, failure in
                target.lose("/" + String(decoding: path, as: UTF8.self), failure)
            }
            try walk.run(plan.root, RestorePlan.selection(plan.options)) { try restore($0) }
            // 3.
            try flush()
            // 4.
            for link in links { makeLink(link) }
            let leading = leading.found()
            try made.forEachBackwards { path, entry in
                target.finishDirectory(path, entry, leads: leading.contains(path))
            }
            // 5.
            try target.synchronize()
        }

        func abandon() { delivery.abandon() }

        // MARK: - 2. The walk

        /// False when what a directory holds cannot be restored.
        private func restore(_ visit: SnapshotWalk.Visit) throws -> Bool {
            leading.meet(in: visit.parent, isDirectory: visit.entry.kind == .directory)
            switch visit.entry.kind {
            case .directory:
                guard let isNew = target.makeDirectory(visit) else { return false }
                if !isNew { sweep(visit.path, holding: visit.entry.content) }
                // A directory that stood and only leads on keeps its own attributes.
                if isNew || !visit.isPassage { made.append(visit.path, visit.entry) }
            case .file:
                if try !isFurtherName(visit) { try restoreFile(visit) }
            case .symbolicLink, .fifo, .socket, .blockDevice, .characterDevice:
                if try !isFurtherName(visit) {
                    let isMade = target.makeOther(visit)
                    if visit.entry.link != 0 { groups[visit.entry.link]?.failed = !isMade }
                }
            }
            return true
        }

        /// Takes away what a restore that was killed has left in a directory that stood, unless the snapshot itself has
        /// something of that name there.
        private func sweep(_ path: [UInt8], holding content: ContentRef?) {
            var names = target.leftovers(in: path)
            guard !names.isEmpty else { return }
            if let content {
                // Where the snapshot cannot say, they stay; that it cannot, the walk finds and reports.
                guard (try? plan.reader.forEachEntry(of: content) { names.remove($0.name) }) != nil else { return }
            }
            target.remove(leftovers: names, in: path)
        }

        /// Whether the file was met before under another name. What the snapshot calls one file has to be one in all
        /// it says of it; otherwise each name is a file of its own.
        private func isFurtherName(_ visit: SnapshotWalk.Visit) throws -> Bool {
            guard visit.entry.link != 0 else { return false }
            guard let group = groups[visit.entry.link] else {
                groups[visit.entry.link] = Group(path: visit.path, entry: visit.entry)
                return false
            }
            var same = group.entry
            same.name = visit.entry.name
            guard same == visit.entry else { return false }
            var link = visit
            link.entry.content = nil
            links.append(link)
            return true
        }

        private func restoreFile(_ visit: SnapshotWalk.Visit) throws {
            let job: FileJob
            do throws(Failure) {
                guard let made = try target.job(visit) else { return }
                job = made
            } catch {
                if groups[visit.entry.link]?.path == visit.path { groups[visit.entry.link]?.failed = true }
                return target.lose(visit.description, error)
            }
            if groups[visit.entry.link]?.path == visit.path { groups[visit.entry.link]?.job = job }
            delivery.begin(job)
            do {
                if let content = visit.entry.content {
                    try plan.reader.forEachChunk(of: content) { chunk, offset in
                        if chunk.id == .hole { return }
                        batch.add(chunk.id, ChunkBatch.Place(job: job, offset: offset, length: chunk.length))
                        if batch.isFull { try flush() }
                    }
                }
            } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
                // The list of its chunks is damaged.
                job.ask()
                _ = job.settle(failure)
            }
            if job.askedForAll() { try delivery.finish(job) }
        }

        // MARK: - 3. The bytes

        private func flush() throws {
            guard !batch.isEmpty else { return }
            let batch = batch
            self.batch = ChunkBatch()
            let delivery = delivery
            try unsafe plan.reader.fetch(
                batch.wants, workers: plan.options.workers,
                deliver: { tag, bytes in try unsafe delivery.deliver(bytes, to: batch.places(of: tag)) },
                failed: { tag, failure in delivery.fail(failure, batch.places(of: tag)) })
        }

        // MARK: - 4. Further names

        private func makeLink(_ visit: SnapshotWalk.Visit) {
            guard let group = groups[visit.entry.link], !group.failed, group.job?.problem == nil else {
                return target.lose(
                    visit.description,
                    Failure(.partial, "it is another name of a file that could not be restored"))
            }
            target.makeLink(visit, to: group.path)
        }
    }
}
