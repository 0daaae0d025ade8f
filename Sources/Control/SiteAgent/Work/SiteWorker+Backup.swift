import Capture
import Glibc
import Logging
import Model
import ObjectStore
import Platform
import Repository
import Sealing

extension SiteWorker {
    /// 1. If this job has committed before, and only its report was lost, that is reported.
    /// 2. The disk and the folders are captured into one session, a stream each.
    /// 3. What is about to be committed is written down under the session's name, then it is committed.
    func backUp(_ work: BackupWork, _ context: WorkContext) throws -> BackupResult {
        let start = surroundings.uptime()
        let taken = surroundings.now()
        let repository = try Repository.open(
            try vault.forWriting(work.repository.tenant),
            .granted(try writerKeys(try keys(context, work.repository), work.repository)),
            expecting: try Self.id(work.repository), site: secrets.site, heads: try heads(work.repository),
            surroundings: surroundings, resources: resources)
        let intent = BackupIntent(path: state.results.intent(context.assignment.job))
        if let before = try intent.committed(in: repository) {
            logger.info("Had been committed", metadata: ["job": "\(context.assignment.job)"])
            return before
        }

        var options = BackupSession.Options()
        options.staging = BackupSession.Staging(name: work.desktop.text, time: taken, host: Self.hostName)
        let session = try repository.beginBackup(options)
        let memory = fileMemory(of: work, in: repository)
        do {
            var capture = BackupCapture()
            if let image = work.diskImage { try capture.addDisk(image, to: session, context) }
            if !work.folders.isEmpty {
                try capture.addFolders(
                    work.folders, leavingOut: [vault.path, state.path], memory: memory, to: session, context)
            }
            try context.goOn()
            context.tell(
                JobProgress(
                    stage: .finishing, done: capture.bytes, total: capture.bytes, stored: session.storedBytes,
                    files: capture.files))
            var result = BackupResult(
                snapshot: "", taken: taken, hasDisk: work.diskImage != nil, hasFiles: !work.folders.isEmpty,
                bytes: capture.bytes, storedBytes: session.storedBytes, files: capture.files,
                milliseconds: milliseconds(since: start), warnings: capture.warnings, head: Self.head(repository))
            try intent.keep(result, session: session.id)
            let snapshot = try session.commit(
                BackupSession.Draft(
                    name: work.desktop.text, time: taken, host: Self.hostName, streams: capture.streams,
                    incomplete: capture.incomplete))
            if let problem = repository.writeCheckpointAfterWork() { logger.warning("\(problem)") }
            result.snapshot = snapshot.id.hex
            // Without it the next backup takes longer, and that is all.
            try? memory?.save()
            result.storedBytes = session.storedBytes
            result.milliseconds = milliseconds(since: start)
            result.head = Self.head(repository)
            return result
        } catch {
            try? memory?.leave()
            try? session.interrupt()
            throw error
        }
    }

    /// What the last backup of this desktop read here, under the agent's own state.
    private func fileMemory(of work: BackupWork, in repository: Repository) -> FileMemory? {
        guard !work.folders.isEmpty, let secret = repository.keys.secret else { return nil }
        let place = "\(state.filesFolder)/\(repository.id)/\(secret.desktop(named: work.desktop.text))"
        return FileMemory(
            at: AbsolutePath(place), secret: secret, repository: repository.id, surroundings: surroundings)
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
