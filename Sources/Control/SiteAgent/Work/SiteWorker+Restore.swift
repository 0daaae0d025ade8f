import Model
import Platform
import Repository
import Restore
import Wire

extension SiteWorker {
    /// Writes a snapshot's files or its disk where nothing of them stands.
    ///
    /// A restore that was cut off goes on where it stopped: what stands at the target is known to be ours by a note
    /// that is made while nothing stands there.
    func restore(_ work: RestoreWork, _ context: WorkContext) throws -> RestoreResult {
        let start = surroundings.uptime()
        let snapshot = try claim(work.snapshot, in: work.repository, runningMachine: false, context)
        defer { snapshot.release(logger: logger) }
        switch work.what {
        case .files: return try restoreFiles(work, snapshot.reader, context, since: start)
        case .disk: return try restoreDisk(work, snapshot.reader, context, since: start)
        }
    }

    /// The site's own copy of a snapshot, open for reading and claimed.
    func claim(
        _ snapshot: String, in place: RepositoryPlace, runningMachine: Bool, _ context: WorkContext
    ) throws(Failure) -> ClaimedSnapshot {
        let repository = try openForReading(place, context)
        return try ClaimedSnapshot(
            repository, try repository.findSnapshot(snapshot), runningMachine: runningMachine, logger: logger)
    }

    /// The site's own copy of a repository, with the granted reader keys.
    func openForReading(_ place: RepositoryPlace, _ context: WorkContext) throws(Failure) -> Repository {
        try Repository.open(
            try vault.forWriting(place.tenant), .granted(try readerKeys(try keys(context, place), place)),
            expecting: try Self.id(place), site: secrets.site, heads: try heads(place), surroundings: surroundings,
            resources: resources)
    }

    // MARK: - Files

    private func restoreFiles(
        _ work: RestoreWork, _ reader: SnapshotReader, _ context: WorkContext, since start: UInt64
    ) throws -> RestoreResult {
        let total = reader.snapshot.bytes
        var options = RestoreOptions()
        options.include = work.include.map { AbsolutePath($0) }
        options.watch = { progress in
            try context.goOn()
            context.tell(JobProgress(stage: .writing, done: progress.bytes, total: total, files: progress.files))
        }
        if try isOurs(work, context) { options.existing = .update }
        let plan = try RestorePlan(reader, root: try Self.tree(of: reader), options: options)
        let report = try TreeRestore.run(plan, to: AbsolutePath(work.target), surroundings: surroundings)
        if report.lost > 0, let failure = report.failure { throw failure }
        return RestoreResult(
            bytes: report.bytes, files: report.files, milliseconds: milliseconds(since: start),
            warnings: report.problems.prefix(100).map { String($0.description.prefix(1000)) })
    }

    /// Whether the target is empty, or was when this job first came to it.
    private func isOurs(_ work: RestoreWork, _ context: WorkContext) throws(Failure) -> Bool {
        let note = state.results.intent(context.assignment.job)
        if try PrivateFile.read(note) != nil { return true }
        guard try PrivateFile.names(in: work.target).isEmpty else { return false }
        try PrivateFile.write(Array("restoring to \(work.target)".utf8), to: note)
        return true
    }

    /// The files of a snapshot.
    private static func tree(of reader: SnapshotReader) throws(Failure) -> ContentRef {
        for stream in reader.snapshot.part.streams {
            if case .tree(let root) = stream.content { return root }
        }
        throw Failure(.notFound, "Snapshot \(reader.snapshot.id.hex.prefix(12)) has no files")
    }

    // MARK: - Disk

    private func restoreDisk(
        _ work: RestoreWork, _ reader: SnapshotReader, _ context: WorkContext, since start: UInt64
    ) throws -> RestoreResult {
        let disk = try Self.disk(of: reader)
        let target = AbsolutePath(work.target)
        let watch: @Sendable (RestoreProgress) throws -> Void = { progress in
            try context.goOn()
            context.tell(JobProgress(stage: .writing, done: progress.bytes, total: disk.size))
        }
        do {
            let report = try DiskRestore.run(disk, to: target, surroundings: surroundings, watch: watch)
            return RestoreResult(bytes: report.bytes, files: 1, milliseconds: milliseconds(since: start), warnings: [])
        } catch let refusal as Failure where refusal.code == .refused {
            // An image gets its name when it is whole: one with the very same bytes is the work of an earlier try.
            context.tell(JobProgress(stage: .verifying, total: disk.size))
            guard try DiskComparison.isSame(disk, work.target, { try context.goOn() }) else { throw refusal }
            return RestoreResult(
                bytes: disk.size, files: 1, milliseconds: milliseconds(since: start),
                warnings: ["The image stood there already, with the same bytes"])
        }
    }

    /// The one disk of a snapshot.
    static func disk(of reader: SnapshotReader) throws(Failure) -> DiskReader {
        for stream in reader.snapshot.part.streams {
            if case .disk(let disk) = stream.content { return DiskReader(reader, disk) }
        }
        throw Failure(.notFound, "Snapshot \(reader.snapshot.id.hex.prefix(12)) has no disk")
    }
}
