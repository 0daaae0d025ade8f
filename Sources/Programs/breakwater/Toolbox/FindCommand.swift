internal import ArgumentParser
import Browse
import Platform
import Repository

/// Finds names in snapshots.
struct FindCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "find", abstract: "Find names in one snapshot, or in all of them.",
        discussion: """
            PATTERN is that of a shell for one name, such as '*.docx', '[0-9]*' or 'letter?.txt'; quote it, so that
            the shell leaves it alone. A directory that snapshots share is read once.
            """)

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Option(name: .long, help: "Only in this one: an id, the beginning of one, or latest:NAME.")
    var snapshot: String?

    @Option(name: .long, help: "Only in snapshots of this name.")
    var name: String?

    @Argument(help: "What the name looks like.")
    var pattern: String

    static let isListing = true

    func validate() throws {
        if snapshot != nil && name != nil { throw ValidationError("--snapshot and --name exclude each other.") }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let search = NameSearch(try Glob(try RawArguments.bytes(of: pattern)))
        let console = bench.console
        let repository = try reading.open(bench)
        let (snapshots, damaged) = try chosen(repository)
        for (id, problem) in damaged {
            console.warn("snapshot \(id.hex.prefix(12)) cannot be opened: \(problem.what)")
        }
        let readers = try Readers(repository)
        var matches: UInt64 = 0
        var lost = damaged.count
        for snapshot in snapshots {
            let streams = snapshot.part.streams.filter { reading.stream == nil || $0.label == reading.stream }
            let reader = try readers.reader(of: snapshot)
            for stream in streams {
                guard case .tree(let root) = stream.content else { continue }
                try search.run(reader, root) { path, entry in
                    matches += 1
                    try Self.show(entry, [UInt8(ascii: "/")] + path, in: snapshot, console)
                } lost: { path, failure in
                    lost += 1
                    let place = "/" + String(decoding: path, as: UTF8.self)
                    console.warn("\(place) of snapshot \(snapshot.id.hex.prefix(12)) cannot be read: \(failure.what)")
                }
            }
        }
        guard lost == 0 else {
            throw Failure(
                .partial,
                "\(Words.count(matches, "name", "names")) found, but "
                    + "\(Words.count(lost, "snapshot or directory", "snapshots or directories")) could not be read",
                advice: "--also names another vault to take them from.")
        }
        guard matches > 0 else {
            let number = Words.count(UInt64(snapshots.count), "snapshot", "snapshots")
            guard snapshots.contains(where: { Self.holdsFiles($0) }) else {
                throw Failure(
                    .notFound, "nothing in \(number) has a name: there are disks and no files",
                    advice: "`breakwater repository mount` shows what disks hold.")
            }
            throw Failure(
                .notFound, "nothing in \(number) is named \(pattern)",
                advice: "A pattern stands for a whole name: '*word*' finds names that hold a word.")
        }
        return 0
    }

    private static func holdsFiles(_ snapshot: Snapshot) -> Bool {
        snapshot.part.streams.contains { if case .tree = $0.content { true } else { false } }
    }

    private func chosen(
        _ repository: Repository
    ) throws -> (snapshots: [Snapshot], damaged: [(id: Digest, problem: Failure)]) {
        if let snapshot { return ([try repository.findSnapshot(snapshot)], []) }
        let all = try repository.snapshots()
        guard let name else { return all }
        let named = all.snapshots.filter { $0.name == name }
        guard !named.isEmpty || !all.damaged.isEmpty else {
            throw Failure(
                .notFound, "no snapshot is named \(name)", advice: "`breakwater repository snapshots` lists them.")
        }
        return (named, all.damaged)
    }

    private static func show(_ entry: TreeEntry, _ path: [UInt8], in snapshot: Snapshot, _ console: Console) throws {
        try console.say("\(snapshot.id.hex.prefix(12))  \(EntryWords.line(entry, path))")
        try console.tell(
            EntryWords.members(entry, path) + [
                ("snapshot", .text(snapshot.id.hex)), ("name", .text(snapshot.name)),
                ("time", .text(Words.time(snapshot.time))),
            ])
    }
}
