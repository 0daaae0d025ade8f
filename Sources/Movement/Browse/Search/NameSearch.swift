package import Platform
package import Repository

/// Finds names in the trees of several snapshots. A directory that several of them share is read once: what was found
/// in it is remembered by its content.
///
/// A class for its memory; used by one thread at a time.
package final class NameSearch {
    /// What was found below a directory, with what leads there.
    private final class Subtree {
        struct Item {
            var name: [UInt8]
            /// When the name itself matches; without content and extended attributes.
            var entry: TreeEntry?
            var below: Subtree?
        }

        var items: [Item] = []
        /// Levels of directories in it, itself counted.
        var height = 1
        /// False when some of it could not be read: another snapshot may have it whole.
        var isWhole = true
    }

    private let pattern: Glob
    private var known: [ContentRef: Subtree] = [:]
    /// Directories read from the repository, over all runs.
    package private(set) var directoriesRead: UInt64 = 0

    package init(_ pattern: Glob) { self.pattern = pattern }

    /// Calls `found` for each match in a snapshot's tree, with its path from the root (without a slash at either
    /// end), and `lost` for each directory that cannot be read; the search goes on beside it.
    /// - Throws: what `found` throws.
    package func run(
        _ reader: SnapshotReader, _ root: ContentRef, found: (_ path: [UInt8], TreeEntry) throws -> Void,
        lost: (_ path: [UInt8], Failure) -> Void
    ) throws {
        let subtree = search(reader, root, path: [], depth: 0, lost)
        try tell(subtree, path: [], found)
    }

    private func search(
        _ reader: SnapshotReader, _ directory: ContentRef, path: [UInt8], depth: Int,
        _ lost: (_ path: [UInt8], Failure) -> Void
    ) -> Subtree {
        let subtree = known[directory] ?? read(reader, directory, path: path, depth: depth, lost)
        guard depth + subtree.height > TreeDepth.most else {
            if subtree.isWhole { known[directory] = subtree }
            return subtree
        }
        lost(path, TreeDepth.failure)
        let nothing = Subtree()
        nothing.isWhole = false
        return nothing
    }

    private func read(
        _ reader: SnapshotReader, _ directory: ContentRef, path: [UInt8], depth: Int,
        _ lost: (_ path: [UInt8], Failure) -> Void
    ) -> Subtree {
        let subtree = Subtree()
        guard depth < TreeDepth.most else {
            subtree.height = TreeDepth.most + 1
            return subtree
        }
        directoriesRead += 1
        var cursor = DirectoryCursor(reader, directory)
        do throws(Failure) {
            while let (entry, _) = try cursor.next() {
                var item = Subtree.Item(name: entry.name)
                if pattern.matches(entry.name) {
                    var slim = entry
                    slim.content = nil
                    slim.extendedAttributes = []
                    item.entry = slim
                }
                if entry.kind == .directory, let content = entry.content {
                    let below = search(
                        reader, content, path: TreePath.join(path, entry.name), depth: depth + 1, lost)
                    subtree.height = max(subtree.height, below.height + 1)
                    subtree.isWhole = subtree.isWhole && below.isWhole
                    if !below.items.isEmpty { item.below = below }
                }
                if item.entry != nil || item.below != nil { subtree.items.append(item) }
            }
        } catch {
            lost(path, error)
            subtree.isWhole = false
        }
        return subtree
    }

    private func tell(
        _ subtree: Subtree, path: [UInt8], _ found: (_ path: [UInt8], TreeEntry) throws -> Void
    ) throws {
        for item in subtree.items {
            let place = TreePath.join(path, item.name)
            if let entry = item.entry { try found(place, entry) }
            if let below = item.below { try tell(below, path: place, found) }
        }
    }
}
