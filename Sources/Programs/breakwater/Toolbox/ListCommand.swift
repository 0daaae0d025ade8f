internal import ArgumentParser
import Glibc
import ObjectStore
import Platform
import Repository
import Restore

/// Lists what a snapshot holds.
struct ListCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what a snapshot holds.",
        discussion: "Without a PATH everything is listed; with one, what lies in that directory, or the file itself.")

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Option(name: .long, help: ArgumentHelp("Another vault to take from what is damaged.", valueName: "dir"))
    var also: [String] = []

    @Option(name: .long, help: "The label of the stream, where there are several.")
    var stream: String?

    @Flag(name: .shortAndLong, help: "With a PATH: also what lies in the directories below it.")
    var recursive = false

    @Argument(help: "An id, the beginning of one, or latest:NAME.")
    var snapshot: String

    @Argument(help: "A path as it was at the backup.")
    var path: String?

    static let isListing = true

    func perform(_ bench: Workbench) throws -> Int32 {
        let secret = try bench.key(passphrase, of: vault.path)
        let path = try path.map { text throws(Failure) in try RawArguments.path(text) }
        let repository = try bench.open(vault.path, .reading, passphrase: secret, also: also)
        let found = try repository.findSnapshot(snapshot)
        if let cut = repository.log.shortfall { bench.console.warn("\(cut)") }
        let hasTree = found.part.streams.contains { $0.kind == .tree }
        if path == nil, stream == nil { try listDisks(of: found, bench.console) }
        guard hasTree || path != nil || stream != nil else { return 0 }
        let root = try found.tree(label: stream)
        let reader = try SnapshotReader(repository, found)
        var listing = Listing(reader: reader, console: bench.console, isDeep: recursive || path == nil)
        let start = path ?? AbsolutePath(components: [])
        if let entry = try SnapshotLookup.entry(at: start, in: reader, root: root), entry.kind != .directory {
            try listing.show(entry, at: start.bytes)
        } else {
            try SnapshotLookup.list(start, in: reader, root: root) { entry in
                try listing.visit(entry, in: start.components.isEmpty ? [] : start.bytes)
            }
        }
        guard let problem = listing.problem else { return 0 }
        throw Failure(
            .partial, "\(Words.count(listing.lost, "directory", "directories")) could not be read: \(problem.what)",
            advice: "The others are listed. --also names another vault to take them from.")
    }

    private func listDisks(of snapshot: Snapshot, _ console: Console) throws {
        for stream in snapshot.part.streams where stream.kind != .tree {
            let label = stream.label.isEmpty ? "" : "  " + Words.visible(stream.label)
            try console.say("\(stream.kind.word)  \(Words.bytes(stream.bytes))\(label)")
            try console.tell([
                ("stream", .text(stream.label)), ("kind", .text(stream.kind.word)), ("bytes", .number(stream.bytes)),
            ])
        }
    }
}

/// Prints entries as they are met, and goes on past directories that cannot be read.
private struct Listing {
    let reader: SnapshotReader
    let console: Console
    let isDeep: Bool
    private(set) var lost = 0
    private(set) var problem: Failure?

    init(reader: SnapshotReader, console: Console, isDeep: Bool) {
        self.reader = reader
        self.console = console
        self.isDeep = isDeep
    }

    private static let deepest = 2000

    mutating func visit(_ entry: TreeEntry, in parent: [UInt8], depth: Int = 0) throws {
        let path = parent + [UInt8(ascii: "/")] + entry.name
        try show(entry, at: path)
        guard isDeep, entry.kind == .directory, let content = entry.content, depth < Self.deepest else { return }
        do {
            try reader.forEachEntry(of: content) { try visit($0, in: path, depth: depth + 1) }
        } catch let failure as Failure where failure.code == .damaged {
            lost += 1
            problem = problem ?? failure
            console.warn("\(String(decoding: path, as: UTF8.self)) cannot be read: \(failure.what)")
        }
    }

    func show(_ entry: TreeEntry, at path: [UInt8]) throws {
        try console.say(EntryWords.line(entry, path))
        try console.tell(EntryWords.members(entry, path))
    }
}

extension TreeEntry.Kind {
    var word: String {
        switch self {
        case .file: "file"
        case .directory: "directory"
        case .symbolicLink: "link"
        case .fifo: "fifo"
        case .socket: "socket"
        case .blockDevice: "blockDevice"
        case .characterDevice: "characterDevice"
        }
    }
}
