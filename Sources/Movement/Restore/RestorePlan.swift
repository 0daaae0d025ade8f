import Platform
package import Repository

/// What a restore will do, before it does any of it: made by walking the tree of the snapshot, without touching the
/// target. Print it, test it, ask for approval; then run it.
package struct RestorePlan: Sendable {
    package let reader: SnapshotReader
    package let root: ContentRef
    package let options: RestoreOptions
    package private(set) var files: UInt64 = 0
    package private(set) var directories: UInt64 = 0
    package private(set) var others: UInt64 = 0
    /// Of the files, with their holes; a file with several names counts once.
    package private(set) var bytes: UInt64 = 0
    /// The topmost of what was asked for, as paths below the target.
    private(set) var tops: [[UInt8]] = []
    /// Directories that cannot be read and so will be missing what they held.
    package private(set) var damaged: [RestoreReport.Problem] = []

    /// - Throws: `.notFound` when a path of `options.include` is not in the snapshot.
    package init(_ reader: SnapshotReader, root: ContentRef, options: RestoreOptions = RestoreOptions()) throws {
        self.reader = reader
        self.root = root
        self.options = options
        var found = Tally()
        let walk = SnapshotWalk(reader: reader) { path, failure in
            found.damaged.append(
                RestoreReport.Problem(path: "/" + String(decoding: path, as: UTF8.self), failure: failure))
        }
        var groups: Set<UInt64> = []
        try walk.run(root, Self.selection(options)) { visit in
            if !visit.isPassage, !(found.tops.last.map { Self.path(visit.path, liesIn: $0) } ?? false) {
                found.tops.append(visit.path)
            }
            switch visit.entry.kind {
            case .directory: found.directories += 1
            case .file:
                found.files += 1
                if visit.entry.link == 0 || groups.insert(visit.entry.link).inserted {
                    found.bytes.add(visit.entry.size)
                }
            case .symbolicLink, .fifo, .socket, .blockDevice, .characterDevice: found.others += 1
            }
            return true
        }
        (files, directories, others, bytes) = (found.files, found.directories, found.others, found.bytes)
        (tops, damaged) = (found.tops, found.damaged)
    }

    private struct Tally {
        var files: UInt64 = 0
        var directories: UInt64 = 0
        var others: UInt64 = 0
        var bytes: UInt64 = 0
        var tops: [[UInt8]] = []
        var damaged: [RestoreReport.Problem] = []
    }

    /// What was asked for, as a tree; nil for everything.
    static func selection(_ options: RestoreOptions) -> PathForest.Node? {
        options.include.isEmpty ? nil : PathForest(options.include).root
    }

    private static func path(_ path: [UInt8], liesIn directory: [UInt8]) -> Bool {
        path.starts(with: directory + [UInt8(ascii: "/")])
    }
}
