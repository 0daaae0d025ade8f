import Glibc
package import Platform

/// A file for its owner alone, which gets its name once it is whole and durable, and takes nobody's place. Several threads
/// may write to it at once.
///
/// What runs that were killed have left beside it is taken away first: while one is at work, its temporary file is locked.
package final class NewFile: Sendable {
    package let file: Descriptor
    /// Temporary files of runs that were killed, which were taken away.
    package let leftovers: UInt64
    private let path: AbsolutePath
    private let name: [UInt8]
    private let directory: Directory
    private let temporary: [UInt8]

    /// - Throws: `.refused` when something stands at `path`; what `body` throws. Nothing is left then.
    package static func write<Result>(
        _ path: AbsolutePath, surroundings: Surroundings, _ body: (NewFile) throws -> Result
    ) throws -> Result {
        let new = try NewFile(path, surroundings)
        do {
            try new.lock()
            let result = try body(new)
            try new.publish()
            return result
        } catch {
            _ = try? new.directory.remove(new.temporary)
            throw error
        }
    }

    private init(_ path: AbsolutePath, _ surroundings: Surroundings) throws(Failure) {
        guard let name = path.components.last else {
            throw Failure(.usage, "\(path) cannot be a file", advice: "Name a file that does not exist yet")
        }
        let directory = try Directory(at: AbsolutePath(components: path.components.dropLast()).bytes)
        guard try directory.status(of: name) == nil else { throw Self.taken(path) }
        let temporaries = TemporaryName(.alone, in: try directory.status().inode)
        leftovers = Self.sweep(directory, temporaries)
        temporary = temporaries.make(surroundings)
        let number = try directory.openBeneath(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        file = Descriptor(owning: number, label: path.description)
        self.path = path
        self.name = name
        self.directory = directory
    }

    private static func taken(_ path: AbsolutePath) -> Failure {
        Failure(.refused, "\(path) exists already", advice: "Nothing was changed. Name a file that does not exist.")
    }

    private func publish() throws(Failure) {
        try file.sync()
        if try !directory.move(temporary, to: directory, as: name) { throw Self.taken(path) }
        try directory.synchronize()
    }

    // MARK: - What a run that was killed has left

    /// Locks the temporary file for as long as it is open, where the file system knows locks: elsewhere nobody takes it for a
    /// leftover either, since that needs the lock.
    /// - Throws: `.failed` when another run did just that before it was locked.
    private func lock() throws(Failure) {
        let isHeld = flock(file.number, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
        let links = try FileStatus(of: file.number, label: path.description).links
        guard !isHeld, links > 0 else {
            throw Failure(
                .failed, "another run beside \(path) took its temporary file for a leftover",
                advice: "Nothing was changed. Run it again.")
        }
    }

    /// Takes away the files of this user that runs which were killed have left, and counts them. What has another name besides
    /// is none of them. Comfort only: where that cannot be done they stay, and hurt nothing.
    private static func sweep(_ directory: borrowing Directory, _ temporaries: TemporaryName) -> UInt64 {
        var count: UInt64 = 0
        for entry in (try? directory.entries()) ?? [] where temporaries.matches(entry.name) {
            let number = directory.tryOpenBeneath(entry.name, flags: O_RDWR | O_NOFOLLOW | O_NONBLOCK)
            guard number >= 0 else { continue }
            defer { close(number) }
            guard let status = try? FileStatus(of: number, label: ""), status.kind == .file,
                status.owner == geteuid(), status.links == 1, flock(number, LOCK_EX | LOCK_NB) == 0,
                (try? directory.remove(entry.name)) ?? false
            else { continue }
            count += 1
        }
        return count
    }
}
