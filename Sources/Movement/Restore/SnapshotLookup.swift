package import Platform
package import Repository

/// Finds a path in a snapshot's tree: for lists and for single files.
package enum SnapshotLookup {
    /// The entry at a path; nil for the root itself, which has no entry.
    /// - Throws: `.notFound`; `.damaged` when a directory on the way cannot be read.
    package static func entry(at path: AbsolutePath, in reader: SnapshotReader, root: ContentRef) throws -> TreeEntry? {
        var directory = root
        var found: TreeEntry?
        for (depth, name) in path.components.enumerated() {
            found = nil
            if depth > 0, directory.length == 0 { break }
            try reader.forEachEntry(of: directory) { if $0.name == name { found = $0 } }
            guard let next = found else { break }
            guard depth + 1 < path.components.count else { return next }
            guard next.kind == .directory, let content = next.content else { break }
            directory = content
        }
        if path.components.isEmpty { return nil }
        throw SnapshotWalk.absent(Array(path.bytes.dropFirst()))
    }

    /// Calls `body` for what lies at a path: the entries of a directory, or the one entry of anything else.
    package static func list(
        _ path: AbsolutePath, in reader: SnapshotReader, root: ContentRef, _ body: (TreeEntry) throws -> Void
    ) throws {
        guard let entry = try entry(at: path, in: reader, root: root) else {
            return try reader.forEachEntry(of: root, body)
        }
        if entry.kind == .directory, let content = entry.content {
            try reader.forEachEntry(of: content, body)
        } else {
            try body(entry)
        }
    }
}
