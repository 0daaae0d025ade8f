import Platform
import Synchronization

/// Directories of the target that were used last, kept open: most files of a restore go where the one before went.
///
/// Each is opened from the target's own descriptor without following a symbolic link, so that whatever a snapshot
/// or another process puts in the way, nothing leads out of the target.
final class DirectoryShelf: Sendable {
    final class Open: Sendable {
        let directory: Directory
        init(_ directory: consuming Directory) { self.directory = directory }
    }

    private let root: Open
    private let kept = Mutex<[[UInt8]: Open]>([:])
    private static let most = 64

    init(_ root: consuming Directory) { self.root = Open(root) }

    /// The directory at a path below the target; the target itself for an empty path.
    func directory(_ path: [UInt8]) throws(Failure) -> Open {
        if path.isEmpty { return root }
        if let open = kept.withLock({ $0[path] }) { return open }
        let open = Open(try root.directory.directory(path))
        kept.withLock { kept in
            if kept.count >= Self.most { kept.removeAll(keepingCapacity: true) }
            kept[path] = open
        }
        return open
    }
}
