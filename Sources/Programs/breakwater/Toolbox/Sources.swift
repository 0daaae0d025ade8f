import Capture
import Glibc
import Platform

/// What a backup takes up. Images are open: what is wrong with one is said before anything is done.
struct Sources {
    var paths: [AbsolutePath]
    var disks: [(image: AbsolutePath, source: any DiskSource)]

    /// A map of what has changed on the disk, and the snapshot from which it counts.
    var changes: (map: AbsolutePath, since: String)?

    init(paths: [String], disks: DiskOptions) throws(Failure) {
        self.paths = try paths.map { path throws(Failure) in try RawArguments.path(path) }
        self.disks = try disks.open()
        if let map = disks.changes, let since = disks.changedSince { changes = (try RawArguments.path(map), since) }
        // Of several paths, those that are there are backed up.
        let problems = self.paths.compactMap(Self.problem)
        if problems.count == self.paths.count, let first = problems.first { throw first }
    }

    private static func problem(_ path: AbsolutePath) -> Failure? {
        let found = unsafe Name.with(path.bytes) { unsafe open($0, Directory.locating | O_NOFOLLOW | O_CLOEXEC) }
        if found >= 0 {
            close(found)
            return nil
        }
        var problem = Failure.system(errno, "cannot back up \(path)")
        if problem.code != .notFound { problem.code = .failed }
        return problem
    }
}
