internal import ArgumentParser
import Browse
import Platform
import Repository
import Restore

/// Says what differs between two snapshots.
struct DiffCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Say what differs between two snapshots.",
        discussion: """
            A line begins with + for what was added, - for what was removed, C for other content, M for other \
            attributes only, T for another kind of file. Directories that are equal are not read.
            """)

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Argument(help: "The older: an id, the beginning of one, or latest:NAME.")
    var before: String

    @Argument(help: "The newer.")
    var after: String

    @Argument(help: "Only this path, as it was at the backup, and what lies in it.")
    var path: String?

    static let isListing = true

    func perform(_ bench: Workbench) throws -> Int32 {
        let console = bench.console
        let path = try path.map { text throws(Failure) in try RawArguments.path(text) }
        let repository = try reading.open(bench)
        let (old, new) = (try repository.findSnapshot(before), try repository.findSnapshot(after))
        let (oldRoot, newRoot) = (try old.tree(label: reading.stream), try new.tree(label: reading.stream))
        let readers = try Readers(repository)
        let (oldReader, newReader) = (try readers.reader(of: old), try readers.reader(of: new))
        let lost = Monitor(0)
        var diff = TreeDiff(from: oldReader, to: newReader) { change in
            try Self.show(change, console)
        } lost: { path, failure in
            lost.access { $0 += 1 }
            console.warn("/\(String(decoding: path, as: UTF8.self)) cannot be read: \(failure.what)")
        }
        if let path, !path.components.isEmpty {
            let left = try Self.entry(at: path, oldReader, oldRoot)
            let right = try Self.entry(at: path, newReader, newRoot)
            guard left != nil || right != nil else {
                throw Failure(.notFound, "\(path) is in neither snapshot", advice: "`list` shows what is.")
            }
            let parent = path.components.dropLast().joined(separator: [UInt8(ascii: "/")])
            try diff.compare(left, right, in: Array(parent))
        } else {
            try diff.compare(oldRoot, newRoot)
        }
        try Self.conclude(diff.summary, from: old, to: new, console)
        let count = lost.access { $0 }
        guard count == 0 else {
            throw Failure(
                .partial,
                "\(Words.count(count, "directory", "directories")) could not be read, and what lies there was not compared",
                advice: "--also names another vault to take them from.")
        }
        return 0
    }

    private static func entry(
        at path: AbsolutePath, _ reader: SnapshotReader, _ root: ContentRef
    ) throws -> TreeEntry? {
        do {
            return try SnapshotLookup.entry(at: path, in: reader, root: root)
        } catch let failure as Failure where failure.code == .notFound {
            return nil
        }
    }

    private static func show(_ change: TreeChange, _ console: Console) throws {
        let path = [UInt8(ascii: "/")] + change.path
        try console.say(line(change, String(decoding: path, as: UTF8.self)))
        try console.tell(members(change, path))
    }

    private static func members(_ change: TreeChange, _ path: [UInt8]) -> [(String, JSON)] {
        var members = [("event", .text(change.kind.rawValue))] + JSON.members("path", path)
        if let entry = change.after ?? change.before { members.append(("kind", .text(entry.kind.word))) }
        if change.kind == .retyped, let before = change.before {
            members.append(("kindBefore", .text(before.kind.word)))
        }
        if change.kind == .changed { members.append(("content", .flag(change.hasOtherContent))) }
        if change.kind == .changed || change.kind == .retyped {
            members.append(("attributes", .list(change.attributes.map { .text($0.rawValue) })))
        }
        if let before = change.before { members.append(("sizeBefore", .number(before.size))) }
        if let after = change.after { members.append(("size", .number(after.size))) }
        return members
    }

    private static func line(_ change: TreeChange, _ path: String) -> String {
        let mark =
            switch change.kind {
            case .added: "+"
            case .removed: "-"
            case .retyped: "T"
            case .changed: change.hasOtherContent ? "C" : "M"
            }
        let isDirectory = (change.after ?? change.before)?.kind == .directory
        var line = "\(mark)  \(Words.visible(path))\(isDirectory ? "/" : "")"
        if change.kind == .retyped, let before = change.before, let after = change.after {
            line += "  (\(before.kind.word), now \(after.kind.word))"
        } else if !change.attributes.isEmpty {
            line += "  (\(change.attributes.map(\.rawValue).joined(separator: ", ")))"
        }
        return line
    }

    private static func conclude(
        _ summary: TreeDiff.Summary, from old: Snapshot, to new: Snapshot, _ console: Console
    ) throws {
        try console.say(
            summary.isEmpty
                ? "Nothing differs."
                : "\(summary.added) added (\(Words.bytes(summary.bytesAdded))), "
                    + "\(summary.removed) removed (\(Words.bytes(summary.bytesRemoved))), "
                    + "\(summary.changedContent) with other content (\(Words.bytes(summary.bytesChanged))), "
                    + "\(summary.changedAttributes) with other attributes only, "
                    + "\(summary.retyped) of another kind.")
        try console.tell([
            ("event", "result"), ("before", .text(old.id.hex)), ("after", .text(new.id.hex)),
            ("added", .number(summary.added)), ("removed", .number(summary.removed)),
            ("changedContent", .number(summary.changedContent)),
            ("changedAttributes", .number(summary.changedAttributes)), ("retyped", .number(summary.retyped)),
            ("bytesAdded", .number(summary.bytesAdded)), ("bytesRemoved", .number(summary.bytesRemoved)),
            ("bytesChanged", .number(summary.bytesChanged)), ("directoriesRead", .number(summary.directoriesRead)),
            ("directoriesSkipped", .number(summary.directoriesSkipped)),
        ])
    }
}
