package import Platform
package import Repository
import Restore

/// Compares the trees of two snapshots of one repository. Equal content has equal references: directories whose
/// references are equal are skipped with all that lies in them.
package struct TreeDiff {
    package struct Summary: Sendable, Equatable {
        package var added: UInt64 = 0
        package var removed: UInt64 = 0
        /// Of those that changed: with other content, and with other attributes only.
        package var changedContent: UInt64 = 0
        package var changedAttributes: UInt64 = 0
        package var retyped: UInt64 = 0
        /// Bytes of files that were added, that were removed, and that have other content now (their size now).
        package var bytesAdded: UInt64 = 0
        package var bytesRemoved: UInt64 = 0
        package var bytesChanged: UInt64 = 0
        /// Directories read on either side, and pairs that were skipped since they are equal.
        package var directoriesRead: UInt64 = 0
        package var directoriesSkipped: UInt64 = 0

        package var isEmpty: Bool { added + removed + changedContent + changedAttributes + retyped == 0 }
    }

    package private(set) var summary = Summary()
    private let before: SnapshotReader
    private let after: SnapshotReader
    private let found: (TreeChange) throws -> Void
    private let lost: (_ path: [UInt8], Failure) -> Void

    /// - Parameters:
    ///   - found: called for each difference, parents before what they hold.
    ///   - lost: called for each directory that cannot be read on one side; the comparison goes on beside it.
    package init(
        from before: SnapshotReader, to after: SnapshotReader, found: @escaping (TreeChange) throws -> Void,
        lost: @escaping (_ path: [UInt8], Failure) -> Void
    ) {
        (self.before, self.after, self.found, self.lost) = (before, after, found, lost)
    }

    // MARK: - Pairs

    /// Compares two directories at `path`; nil for one that is not there.
    /// - Throws: what `found` throws.
    package mutating func compare(
        _ old: ContentRef?, _ new: ContentRef?, path: [UInt8] = [], depth: Int = 0
    ) throws {
        guard old != new else {
            summary.directoriesSkipped += 1
            return
        }
        guard depth < TreeDepth.most else { return lost(path, TreeDepth.failure) }
        var olds = old.map { Side(before, $0) }
        var news = new.map { Side(after, $0) }
        summary.directoriesRead += (old == nil ? 0 : 1) + (new == nil ? 0 : 1)
        do throws(Failure) {
            try olds?.step()
            try news?.step()
        } catch { return lost(path, error) }
        while true {
            let (left, right) = (olds?.entry, news?.entry)
            guard left != nil || right != nil else { return }
            // Of two names the one that comes first stands alone.
            let takesLeft = Self.comes(left, before: right)
            let takesRight = Self.comes(right, before: left)
            try compare(takesLeft ? left : nil, takesRight ? right : nil, in: path, depth: depth)
            do throws(Failure) {
                if takesLeft { try olds?.step() }
                if takesRight { try news?.step() }
            } catch { return lost(path, error) }
        }
    }

    /// Whether an entry is there and no other comes before it.
    private static func comes(_ entry: TreeEntry?, before other: TreeEntry?) -> Bool {
        guard let entry else { return false }
        guard let other else { return true }
        return !other.name.lexicographicallyPrecedes(entry.name)
    }

    /// Compares what one name means on either side.
    package mutating func compare(_ old: TreeEntry?, _ new: TreeEntry?, in parent: [UInt8], depth: Int = 0) throws {
        guard let name = old?.name ?? new?.name else { return }
        let path = TreePath.join(parent, name)
        let change: TreeChange? =
            switch (old, new) {
            case (let old?, let new?): TreeChange(path: path, from: old, to: new)
            case (let old?, nil): TreeChange(removed: old, path: path)
            case (nil, let new?): TreeChange(added: new, path: path)
            case (nil, nil): nil
            }
        if let change {
            count(change)
            try found(change)
        }
        let directories = (
            old?.kind == .directory ? old?.content : nil, new?.kind == .directory ? new?.content : nil
        )
        if directories.0 != nil || directories.1 != nil {
            try compare(directories.0, directories.1, path: path, depth: depth + 1)
        }
    }

    private mutating func count(_ change: TreeChange) {
        switch change.kind {
        case .added: summary.added += 1
        case .removed: summary.removed += 1
        case .retyped: summary.retyped += 1
        case .changed where change.hasOtherContent:
            summary.changedContent += 1
            summary.bytesChanged.add(change.after?.size)
        case .changed: summary.changedAttributes += 1
        }
        guard change.kind != .changed else { return }
        summary.bytesAdded.add(change.after?.size)
        summary.bytesRemoved.add(change.before?.size)
    }

    /// One directory, an entry at a time.
    private struct Side {
        private var cursor: DirectoryCursor
        private(set) var entry: TreeEntry?

        init(_ reader: SnapshotReader, _ directory: ContentRef) { cursor = DirectoryCursor(reader, directory) }

        mutating func step() throws(Failure) { entry = try cursor.next()?.entry }
    }
}
