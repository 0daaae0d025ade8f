internal import ArgumentParser
import Browse
import Mount
import Platform
import Repository

/// Shows snapshots as files, until it is told to stop.
struct MountCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount", abstract: "Show snapshots as read-only files below a directory.",
        discussion: """
            Each snapshot is a directory NAME/TIME; a disk in it is a raw file. Snapshots made later are not shown. \
            Ends with Ctrl-C, SIGTERM or `umount`, and takes the mount away. Only the user who mounts can look in; \
            device nodes are shown, and work as little as set-user-id programs do.
            """)

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var base: BaseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Option(name: .long, help: "Show what is in this one: an id, the beginning of one, or latest:NAME.")
    var snapshot: String?

    @Argument(help: "An empty directory.")
    var mountpoint: String

    static let whenInterrupted: String? = nil

    func perform(_ bench: Workbench) throws -> Int32 {
        Heap.keepSmall()
        let console = bench.console
        let place = try VaultFolder.pathOutside(mountpoint)
        let repository = try reading.open(bench, base: base)
        let shape: SnapshotMenu.Shape
        let shown: [Snapshot]
        if let snapshot {
            let found = try repository.findSnapshot(snapshot)
            shown = [found]
            shape = .one(found)
        } else {
            let (snapshots, damaged) = try repository.snapshots()
            for (id, problem) in damaged {
                console.warn("snapshot \(id.hex.prefix(12)) cannot be opened and is not shown: \(problem.what)")
            }
            shown = snapshots
            shape = .all(snapshots.map { SnapshotMenu.Item(snapshot: $0, label: Self.label(of: $0)) })
        }
        let leaning = repository.base == nil ? shown.filter { !$0.clear.leans.isEmpty } : []
        if let first = leaning.first?.clear.leans.first {
            console.warn(
                "\(Words.count(UInt64(leaning.count), "snapshot leans", "snapshots lean")) on a template, the first on "
                    + "\(first.snapshot.hex.prefix(12)) of repository \(first.template): without --base, what lies there "
                    + "cannot be read")
        }
        var limits = MountLimits()
        limits.frameBytes = memory.budget.frames / 4 * 3
        limits.chunkBytes = memory.budget.frames / 8 * 3
        let readers = try Readers(repository, cache: limits.frameBytes)
        let session = try MountSession(shape, readers, at: place.bytes, limits: limits) { console.warn($0) }
        bench.interruption.onFirst { [weak session] in session?.stop() }
        try console.say("Mounted at \(Words.visible(place.description)). Ctrl-C or `umount` ends it.")
        try console.tell([("event", "mounted"), ("path", .text(place.description))])
        try console.flush()
        try session.run()
        try console.tell([("event", "result"), ("path", .text(place.description))])
        return 0
    }

    /// The time of the snapshot, to the second.
    private static func label(of snapshot: Snapshot) -> String {
        let seconds = Timestamp(nanoseconds: snapshot.time.nanoseconds - snapshot.time.nanoseconds % 1_000_000_000)
        return Words.time(seconds)
    }
}
