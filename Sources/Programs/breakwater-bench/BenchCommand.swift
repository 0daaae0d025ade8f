internal import ArgumentParser
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing

/// `breakwater-bench`: makes what `make bench-large` measures on. Nobody else needs it.
@main
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "breakwater-bench",
        abstract: "Fill a repository with synthetic chunks, to measure with.",
        discussion: """
            Segments, sets, envelopes, manifests and the log are those of so many chunks, made by the code that backups \
            use. Packs are named and not there, and the disks of the synthetic snapshots are empty: they are never \
            restored or checked.
            """)

    @Option(name: .long, help: "The vault of an existing repository. It is of no use for anything else afterwards.")
    var vault: String

    @Option(name: .long, help: "The file that holds its passphrase.")
    var passphraseFile: String

    @Option(name: .long, help: "How many chunks are added.")
    var chunks: Int

    @Option(name: .long, help: "Desktops over which they are spread, a session and a snapshot each.")
    var desktops = 256

    @Option(name: .long, help: "Chunks in a pack.")
    var packChunks = 256

    @Option(name: .long, help: "The number from which all of it follows.")
    var seed: UInt64 = 1

    func validate() throws {
        guard chunks > 0, desktops > 0, desktops <= chunks, (1...32768).contains(packChunks) else {
            throw ValidationError("So many chunks cannot be spread so.")
        }
    }

    func run() throws {
        let surroundings = Surroundings.system
        guard let place = unsafe realpath(vault, nil) else {
            throw Failure.system(errno, "cannot open the vault \(vault)")
        }
        defer { unsafe free(place) }
        let store = try unsafe DirectoryStore(
            at: String(cString: place), access: .writing, surroundings: surroundings)
        var passphrase = try Descriptor.open(passphraseFile, O_RDONLY).readSome(limit: 64 << 10)
        if passphrase.last == UInt8(ascii: "\n") { passphrase.removeLast() }
        let repository = try Repository.open(
            store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings)
        var estate = try SyntheticEstate(repository, packChunks: packChunks, seed: seed)
        for number in 0..<desktops {
            let share = chunks * (number + 1) / desktops - chunks * number / desktops
            // It serves once a record after it names it.
            if number == desktops - 1 { try repository.writeCheckpointIfDue(every: 1) }
            try estate.addDesktop("synthetic \(number)", chunks: share)
        }
        let packs = repository.log.state.objects.keys.filter { $0.kind == .pack }.count
        print("\(chunks) chunks in \(packs) packs of \(desktops) desktops")
    }
}
