import Browse
import Glibc
import Platform
import Repository

/// The snapshots as one tree of files: finds names, tells what files are, opens them. Knows nothing of how it is asked.
/// Safe to use from several threads.
final class SnapshotTree: Sendable {
    let nodes: NodeTable
    private let indexes = IndexShelf()
    private let recent = RecentEntries()
    private let chunks: ChunkShelf
    /// Who may read: whoever mounted it.
    private let owner = getuid()
    private let group = getgid()

    init(_ shape: SnapshotMenu.Shape, _ limits: MountLimits, _ readers: Readers) {
        let menu = SnapshotMenu(shape, ReaderShelf(readers))
        nodes = NodeTable(fixed: menu.nodes, most: limits.nodes)
        chunks = ChunkShelf(budget: limits.chunkBytes)
    }

    // MARK: - What a file is

    /// What the snapshot says of a file or directory below a tree's root.
    /// - Throws: `.damaged` when the directory it lies in cannot be read there.
    func entry(of node: Node) throws(Failure) -> TreeEntry? {
        guard let (view, content) = node.parent?.directory else { return nil }
        if let known = recent.entry(of: node.number) { return known }
        var cursor = DirectoryCursor(try view.reader(), content, at: node.offset)
        guard let (entry, _) = try cursor.next() else { throw Failure(.damaged, "a directory has become shorter") }
        recent.keep(entry, of: node.number)
        return entry
    }

    func facts(of node: Node) throws(Failure) -> FileFacts {
        if let entry = try entry(of: node) { return FileFacts(entry, inode: node.inode) }
        var facts = FileFacts(
            inode: node.inode, modified: TreeEntry.Time(seconds: 0, nanoseconds: 0), mode: UInt32(S_IFDIR) | 0o555,
            owner: owner, group: group)
        switch node.kind {
        case .menu(_, let time): facts.modified = time
        case .root(let view, _): facts.modified = View.time(view.snapshot.time)
        case .disk(let view, let disk):
            facts.modified = View.time(view.snapshot.time)
            facts.mode = UInt32(S_IFREG) | 0o400
            facts.size = disk.size
            // One less than it could be: programs that copy then look for the holes, of which a disk has many.
            facts.blocks = disk.size / 512 - (disk.size < 512 ? 0 : 1)
        case .directory, .file: throw Failure(.failed, "a file without a directory")
        }
        return facts
    }

    /// For complaints.
    func path(of node: Node) -> String {
        guard let parent = node.parent else {
            return switch node.kind {
            case .root(let view, _), .disk(let view, _): view.label.isEmpty ? "/" : view.label
            case .menu, .directory, .file: "/"
            }
        }
        let above = path(of: parent)
        let name = (try? entry(of: node)).flatMap { $0 }.map { String(decoding: $0.name, as: UTF8.self) } ?? "?"
        return above == "/" ? "/\(name)" : "\(above)/\(name)"
    }

    // MARK: - What lies in a directory

    /// The entry of a name, held for the kernel; nil when there is none.
    /// - Throws: `.damaged`.
    func lookUp(_ name: [UInt8], in directory: Node) throws(Failure) -> (node: Node, facts: FileFacts)? {
        if case .menu(let items, _) = directory.kind {
            guard let item = items.first(where: { $0.name == name }) else { return nil }
            return (item.node, try facts(of: item.node))
        }
        guard let (view, content) = directory.directory else { return nil }
        let reader = try view.reader()
        let index = indexes.index(of: content, reader)
        guard let (entry, offset) = try index.find(name, in: content, reader) else { return nil }
        return hold(entry, in: directory, at: offset, view)
    }

    func hold(_ entry: TreeEntry, in directory: Node, at offset: UInt64, _ view: View) -> (node: Node, facts: FileFacts)
    {
        let node = nodes.hold(entry, in: directory, at: offset, view) { held in
            // What the snapshot calls one file has to be one in all it says of it.
            guard var other = try? self.entry(of: held) else { return false }
            other.name = entry.name
            return other == entry
        }
        recent.keep(entry, of: node.number)
        return (node, FileFacts(entry, inode: node.inode))
    }

    // MARK: - What is in a file

    /// - Throws: `.damaged`; `.refused` for what cannot be read.
    func open(_ node: Node) throws(Failure) -> OpenFile {
        switch node.kind {
        case .disk(let view, let disk): return .disk(DiskFile(DiskReader(try view.reader(), disk)))
        case .file(let view):
            guard let content = try entry(of: node)?.content else { throw Failure(.refused, "it is no file") }
            return .file(FileReader(content, try view.reader(), chunks))
        case .menu, .root, .directory: throw Failure(.refused, "it is no file")
        }
    }
}

/// A file that a program has open.
enum OpenFile: Sendable {
    case file(FileReader)
    case disk(DiskFile)

    func read(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        switch self {
        case .file(let file): try file.read(at: offset, count: count)
        case .disk(let disk): try disk.read(at: offset, count: count)
        }
    }

    func seek(hole: Bool, from offset: UInt64) throws(Failure) -> UInt64? {
        switch self {
        case .file(let file): try file.seek(hole: hole, from: offset)
        case .disk(let disk): try disk.seek(hole: hole, from: offset)
        }
    }
}
