import Platform
import Synchronization

/// Directories of the target that were used last, kept open: most files of a restore go where the one before went.
///
/// Each is opened from the target's own descriptor without following a symbolic link, so that whatever a snapshot
/// or another process puts in the way, nothing leads out of the target.
final class DirectoryShelf: Sendable {
    final class Open: Sendable {
        let directory: Directory
        /// By which temporary files in it are named.
        let temporaries: TemporaryName

        init(_ directory: consuming Directory) throws(Failure) {
            temporaries = TemporaryName(.file, in: try directory.status().inode)
            self.directory = directory
        }
    }

    let root: Open
    private let kept = Mutex<[[UInt8]: Open]>([:])
    private static let most = 64

    init(_ root: consuming Directory) throws(Failure) { self.root = try Open(root) }

    /// The directory at a path below the target; the target itself for an empty path.
    func directory(_ path: [UInt8]) throws(Failure) -> Open {
        if path.isEmpty { return root }
        if let open = kept.withLock({ $0[path] }) { return open }
        let open = try Open(try root.directory.directory(path))
        kept.withLock { kept in
            if kept.count >= Self.most { kept.removeAll(keepingCapacity: true) }
            kept[path] = open
        }
        return open
    }
}
