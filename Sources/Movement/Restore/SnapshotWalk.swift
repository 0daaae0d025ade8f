package import Platform
package import Repository

/// Goes through the part of a snapshot's tree that was asked for, parents before what they hold.
///
/// The snapshot is not trusted: names that could lead elsewhere, names that stand twice and depths that no file
/// system has are damage, wherever else they may have been refused before.
package struct SnapshotWalk {
    /// One entry met.
    package struct Visit {
        package var entry: TreeEntry
        /// The path of its directory below the root, without a slash at either end.
        package var parent: [UInt8]
        /// It is a directory that was not asked for and only leads there.
        package var isPassage: Bool

        package var path: [UInt8] { parent.isEmpty ? entry.name : parent + [UInt8(ascii: "/")] + entry.name }
        package var description: String { "/" + String(decoding: path, as: UTF8.self) }
    }

    let reader: SnapshotReader
    /// Told of a directory whose entries cannot be read; the walk goes on beside it.
    let lost: (_ path: [UInt8], Failure) -> Void

    package static let deepest = 2000

    package init(reader: SnapshotReader, lost: @escaping (_ path: [UInt8], Failure) -> Void) {
        self.reader = reader
        self.lost = lost
    }

    /// - Parameters:
    ///   - node: what is wanted below `directory`; nil for everything.
    ///   - visit: false leaves out what a directory holds.
    /// - Throws: `.notFound` when a path that was asked for is not there; what `visit` throws.
    package func run(_ root: ContentRef, _ node: PathForest.Node?, _ visit: (Visit) throws -> Bool) throws {
        try walk(root, node, path: [], depth: 0, visit)
    }

    private func walk(
        _ directory: ContentRef, _ node: PathForest.Node?, path: [UInt8], depth: Int, _ visit: (Visit) throws -> Bool
    ) throws {
        guard depth <= Self.deepest else {
            return lost(path, Failure(.damaged, "more than \(Self.deepest) directories lie within each other"))
        }
        let wanted = node.flatMap { $0.isWhole ? nil : $0.children }
        var met: Set<[UInt8]> = []
        var last: [UInt8]?
        do {
            try reader.forEachEntry(of: directory) { entry in
                guard Name.isEntry(entry.name), last.map({ $0.lexicographicallyPrecedes(entry.name) }) ?? true else {
                    throw Unreadable(
                        failure: Failure(.damaged, "a name is out of order, stands twice or leads elsewhere"))
                }
                last = entry.name
                let child = wanted?[entry.name]
                if wanted != nil {
                    guard child != nil else { return }
                    met.insert(entry.name)
                }
                let found = Visit(entry: entry, parent: path, isPassage: child.map { !$0.isWhole } ?? false)
                guard !found.isPassage || entry.kind == .directory else {
                    throw Missing(path: found.path)
                }
                do {
                    if try visit(found), entry.kind == .directory, let content = entry.content {
                        try walk(content, child, path: found.path, depth: depth + 1, visit)
                    }
                } catch {
                    // Kept apart from what the reader throws about this directory.
                    throw Beyond(error: error)
                }
            }
        } catch let beyond as Beyond {
            throw beyond.error
        } catch let missing as Missing {
            throw Self.absent(missing.path)
        } catch let unreadable as Unreadable {
            return lost(path, unreadable.failure)
        } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
            return lost(path, failure)
        }
        for name in (wanted ?? [:]).keys where !met.contains(name) {
            throw Self.absent(path.isEmpty ? name : path + [UInt8(ascii: "/")] + name)
        }
    }

    private struct Beyond: Error { var error: any Error }
    private struct Missing: Error { var path: [UInt8] }
    private struct Unreadable: Error { var failure: Failure }

    package static func absent(_ path: [UInt8]) -> Failure {
        Failure(
            .notFound, "/\(String(decoding: path, as: UTF8.self)) is not in the snapshot",
            advice: "Paths are those of the backup, from the root; list shows them")
    }
}
