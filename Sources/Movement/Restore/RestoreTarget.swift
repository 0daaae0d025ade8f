import Glibc
import Platform
import Repository
import Synchronization

/// The directory that a restore fills. Everything that is made is made here, relative to open directories below the
/// target, without following links; safe to use from several threads.
final class RestoreTarget: Sendable {
    let label: String
    let shelf: DirectoryShelf
    let report = Mutex(RestoreReport())
    private let existing: RestoreOptions.Existing
    private let inherits: Bool
    private let surroundings: Surroundings
    private let scratch: String
    /// Other restores see that this one fills the target. Where they could not, this one would not see them either.
    private let isMarked: Bool

    /// - Parameter scratch: the directory for temporary files, used where the target takes none.
    init(
        _ path: AbsolutePath, existing: RestoreOptions.Existing, scratch: String, surroundings: Surroundings
    ) throws(Failure) {
        try Directory.make(at: path.bytes)
        let root = try Directory(at: path.bytes)
        let attributes = try? FileAttributes(of: root.number, located: false, label: root.label).extended()
        inherits = (attributes ?? []).contains { $0.name == Array("system.posix_acl_default".utf8) }
        label = path.description
        shelf = try DirectoryShelf(root)
        isMarked = FillingLock.hold(shelf.root.directory)
        self.existing = existing
        self.scratch = scratch
        self.surroundings = surroundings
    }

    deinit { FillingLock.release(shelf.root.directory) }

    // MARK: - Before anything is made

    /// - Throws: `.refused` when something stands at one of the paths, except an empty directory.
    func requireFree(_ tops: [[UInt8]]) throws(Failure) {
        let root = try shelf.directory([])
        for path in tops {
            let number = root.directory.tryOpenBeneath(path, flags: Directory.locating)
            if number == -ENOENT { continue }
            if number >= 0 {
                let directory = Directory(owning: number, label: root.directory.describe(path))
                guard try directory.status().kind == .directory, try directory.entries().isEmpty else {
                    throw taken(path)
                }
            } else {
                throw taken(path)
            }
        }
    }

    private func taken(_ path: [UInt8]) -> Failure {
        Failure(
            .refused, "\(label == "/" ? "" : label)/\(String(decoding: path, as: UTF8.self)) exists already",
            advice:
                "Nothing was changed. Restore to an empty directory, or with --update, which replaces files that differ"
        )
    }

    // MARK: - What a restore that was killed has left

    /// The names of its temporary files in a directory below the target. Comfort only: in a directory that cannot be looked
    /// through, or that another restore may be filling, they stay, and hurt nothing.
    func leftovers(in path: [UInt8]) -> Set<[UInt8]> {
        guard isMarked, let open = try? shelf.directory(path), let entries = try? open.directory.entries() else {
            return []
        }
        let names = Set(entries.map(\.name).filter(open.temporaries.matches))
        // Asked only now: whoever made one of these and is still at work held its lock before.
        guard !names.isEmpty, !FillingLock.isHeld(around: open.directory, besides: shelf.root.directory) else {
            return []
        }
        return names
    }

    /// Takes those away that are files, as all of them are.
    func remove(leftovers names: Set<[UInt8]>, in path: [UInt8]) {
        guard let open = try? shelf.directory(path) else { return }
        for name in names where (try? open.directory.status(of: name))?.kind == .file {
            guard (try? open.directory.remove(name)) ?? false else { continue }
            report.withLock { $0.leftovers += 1 }
        }
    }

    /// A file of the restore's own, which goes with it: in the target, or where this user may not write there, in the
    /// directory for temporary files.
    func makeNamelessFile() throws(Failure) -> Descriptor {
        do throws(Failure) { return try makeNamelessFile(in: shelf.root) } catch {
            return try makeNamelessFile(in: DirectoryShelf.Open(Directory(at: scratch)))
        }
    }

    private func makeNamelessFile(in open: DirectoryShelf.Open) throws(Failure) -> Descriptor {
        let name = open.temporaries.make(surroundings)
        let file = try open.directory.file(name, O_RDWR | O_CREAT | O_EXCL)
        _ = try open.directory.remove(name)
        return file
    }

    // MARK: - Directories

    /// Makes a directory, closed to others until the end. Nil when it cannot be had; true when it was made here.
    func makeDirectory(_ visit: SnapshotWalk.Visit) -> Bool? {
        do throws(Failure) {
            let parent = try shelf.directory(visit.parent)
            if try parent.directory.makeDirectory(visit.entry.name, mode: 0o700) { return true }
            guard try parent.directory.status(of: visit.entry.name)?.kind == .directory else {
                throw Failure(.exists, "something that is no directory stands there", advice: "It was left as it is")
            }
            return false
        } catch {
            lose(visit.description, error)
            return nil
        }
    }

    /// Last of all, so that no file made in it changes its time and no mode of its keeps one from being made.
    func finishDirectory(_ path: [UInt8], _ entry: TreeEntry, leads: Bool) {
        let name = "/" + String(decoding: path, as: UTF8.self)
        do throws(Failure) {
            let directory = try shelf.directory([]).directory.directory(path)
            metadata.apply(entry, to: directory.number, located: false, path: name, leads: leads)
            report.withLock { $0.directories += 1 }
        } catch { lose(name, error) }
    }

    // MARK: - Links, FIFOs, sockets, devices

    /// False when it could not be made.
    func makeOther(_ visit: SnapshotWalk.Visit) -> Bool {
        let entry = visit.entry
        do throws(Failure) {
            let parent = try shelf.directory(visit.parent)
            let name = parent.temporaries.make(surroundings)
            switch entry.kind {
            case .symbolicLink: try parent.directory.makeSymbolicLink(name, to: entry.target)
            case .fifo: try parent.directory.makeNode(name, .fifo, device: 0)
            case .socket: try parent.directory.makeNode(name, .socket, device: 0)
            case .blockDevice: try parent.directory.makeNode(name, .blockDevice, device: entry.device)
            case .characterDevice: try parent.directory.makeNode(name, .characterDevice, device: entry.device)
            case .file, .directory: return false
            }
            do throws(Failure) {
                let number = try parent.directory.openBeneath(name, flags: Directory.locating | O_NOFOLLOW)
                defer { close(number) }
                metadata.apply(entry, to: number, located: true, path: visit.description)
                try publish(name, as: entry.name, in: parent.directory)
            } catch {
                _ = try? parent.directory.remove(name)
                throw error
            }
            report.withLock { $0.others += 1 }
            return true
        } catch {
            lose(visit.description, error)
            return false
        }
    }

    /// Another name for a file that was restored.
    func makeLink(_ visit: SnapshotWalk.Visit, to first: [UInt8]) {
        do throws(Failure) {
            let slash = first.lastIndex(of: UInt8(ascii: "/"))
            let source = try shelf.directory(slash.map { Array(first[..<$0]) } ?? [])
            let parent = try shelf.directory(visit.parent)
            let name = parent.temporaries.make(surroundings)
            try source.directory.link(slash.map { Array(first[($0 + 1)...]) } ?? first, to: parent.directory, as: name)
            do throws(Failure) {
                try publish(name, as: visit.entry.name, in: parent.directory)
            } catch {
                _ = try? parent.directory.remove(name)
                throw error
            }
            // Renaming a link onto another name of its own file does nothing and leaves both.
            _ = try parent.directory.remove(name)
            report.withLock { report in
                if visit.entry.kind == .file { report.files += 1 } else { report.others += 1 }
            }
        } catch { lose(visit.description, error) }
    }

    // MARK: - Files

    /// The job of a file; nil when one stands that is left as it is.
    func job(_ visit: SnapshotWalk.Visit) throws(Failure) -> FileJob? {
        var replaces = false
        let parent = try shelf.directory(visit.parent)
        if existing == .update, let status = try parent.directory.status(of: visit.entry.name) {
            let entry = visit.entry
            if status.kind == .file, status.size == entry.size, status.modifiedSeconds == entry.modified.seconds,
                status.modifiedNanoseconds == entry.modified.nanoseconds, Metadata.isSet(entry, status)
            {
                report.withLock { $0.unchanged += 1 }
                return nil
            }
            guard status.kind != .directory else {
                throw Failure(.exists, "a directory stands there", advice: "It was left as it is")
            }
            replaces = true
        }
        return FileJob(
            parent: visit.parent, entry: visit.entry, temporary: parent.temporaries.make(surroundings),
            replaces: replaces)
    }

    /// Writes a piece under the temporary name.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, of job: FileJob) throws(Failure) {
        let file = try open(job)
        try unsafe file.write(bytes, at: offset)
        report.withLock { $0.bytesWritten += UInt64(bytes.count) }
    }

    private func open(_ job: FileJob) throws(Failure) -> Descriptor {
        let parent = try shelf.directory(job.parent)
        let flags = O_WRONLY | O_NOFOLLOW
        return try job.opening(
            make: { () throws(Failure) in
                let number = try parent.directory.openBeneath(
                    job.temporary, flags: flags | O_CREAT | O_EXCL, mode: 0o600)
                return Descriptor(owning: number, label: job.description)
            },
            open: { () throws(Failure) in
                Descriptor(
                    owning: try parent.directory.openBeneath(job.temporary, flags: flags), label: job.description)
            })
    }

    /// Gives a file its length, attributes and name, or takes it away when a piece of it is missing.
    func finish(_ job: FileJob) {
        do throws(Failure) {
            if let problem = job.problem { throw problem }
            let file = try open(job)
            // What was not written is a hole.
            try file.truncate(to: job.entry.size)
            metadata.apply(job.entry, to: file.number, located: false, path: job.description)
            try file.close()
            let parent = try shelf.directory(job.parent)
            try publish(job.temporary, as: job.entry.name, in: parent.directory)
            report.withLock { report in
                report.files += 1
                report.bytes.add(job.entry.size)
            }
        } catch {
            job.fail(error)
            discard(job)
            lose(job.description, error)
        }
    }

    /// Takes away what was written of a file.
    func discard(_ job: FileJob) {
        guard job.isMade, let parent = try? shelf.directory(job.parent) else { return }
        _ = try? parent.directory.remove(job.temporary)
    }

    private func publish(_ temporary: [UInt8], as name: [UInt8], in parent: borrowing Directory) throws(Failure) {
        if existing == .update {
            try parent.replace(name, with: temporary)
        } else if try !parent.move(temporary, to: parent, as: name) {
            throw Failure(.exists, "something stands there", advice: "It was left as it is")
        }
    }

    // MARK: - Ends

    func synchronize() throws(Failure) { try shelf.directory([]).directory.synchronizeFileSystem() }

    func lose(_ path: String, _ failure: Failure) { report.withLock { $0.lose(path, failure) } }

    private var metadata: Metadata {
        Metadata(inherits: inherits) { path, failure in self.report.withLock { $0.loseAttribute(path, failure) } }
    }
}
