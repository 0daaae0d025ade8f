internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// Lists the snapshots of a repository.
struct SnapshotsCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshots", abstract: "List the snapshots, oldest first.")

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Option(name: .long, help: ArgumentHelp("Another vault to take from what is damaged.", valueName: "dir"))
    var also: [String] = []

    @Option(name: .long, help: "Only those of this name.")
    var name: String?

    static let isListing = true

    func perform(_ bench: Workbench) throws -> Int32 {
        let console = bench.console
        let key = try bench.key(passphrase, of: vault.path)
        let repository = try bench.open(vault.path, .reading, passphrase: key, also: also)
        let (all, damaged) = try repository.snapshots()
        let snapshots = all.filter { name == nil || $0.name == name }
        var table = Table([
            ("ID", .left), ("NAME", .left), ("KIND", .left), ("TIME", .left), ("SIZE", .right), ("STORED", .right),
            ("FILES", .right), ("", .left),
        ])
        for snapshot in snapshots {
            table.add([
                String(snapshot.id.hex.prefix(12)), snapshot.name, snapshot.kind.rawValue,
                Words.localTime(snapshot.time), Words.bytes(snapshot.bytes), Words.bytes(snapshot.part.storedBytes),
                String(snapshot.files), snapshot.part.incomplete > 0 ? "incomplete" : "",
            ])
            try console.tell(snapshot.members)
        }
        if snapshots.isEmpty {
            try console.say("There is no snapshot\(name.map { " named \($0)" } ?? "") yet.")
        } else {
            for line in table.lines { try console.say(line) }
        }
        var cut = repository.log.shortfall
        let forks = try repository.forks()
        for fork in forks {
            console.warn(fork.meaning)
            try console.tell(fork)
            if !fork.isAccepted, cut == nil { cut = Failure(.partial, fork.meaning) }
        }
        cut = cut?.advising(forks.advice)
        guard !damaged.isEmpty else {
            if let cut { throw cut }
            return 0
        }
        throw Failure(
            .partial,
            "\(damaged.count) more cannot be opened: "
                + damaged.map { "\($0.id.hex.prefix(12)) (\($0.problem.what))" }.joined(separator: "; ")
                + (cut.map { "; besides, \($0.what)" } ?? ""),
            advice: "The others are safe. `breakwater repository check` names what is damaged; "
                + "--also lets a restore take it from another vault."
        ).advising(forks.advice)
    }
}

/// What a snapshot is of, in one word.
enum SnapshotKind: String { case tree, disk }

extension Snapshot {
    /// A snapshot that holds a disk is one that can be started.
    var kind: SnapshotKind { part.streams.contains { $0.kind == .disk } ? .disk : .tree }

    /// As an object of JSON.
    var members: [(String, JSON)] {
        let streams = part.streams.map { stream in
            JSON.object([
                ("label", .text(stream.label)), ("kind", .text(stream.kind.word)), ("bytes", .number(stream.bytes)),
                ("files", .number(stream.files)),
            ])
        }
        return [
            ("id", .text(id.hex)), ("name", .text(name)), ("kind", .text(kind.rawValue)),
            ("time", .text(Words.time(time))),
            ("bytes", .number(bytes)), ("storedBytes", .number(part.storedBytes)), ("files", .number(files)),
            ("host", .text(part.host)), ("incomplete", .number(part.incomplete)), ("streams", .list(streams)),
        ]
    }
}
