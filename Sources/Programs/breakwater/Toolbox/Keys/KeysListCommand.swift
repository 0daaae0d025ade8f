internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// Shows slots, reader generations and writers.
struct KeysListCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show key slots, reader generations and writers.",
        discussion: "No passphrase is needed; with one, the slots that it opens are marked.")

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var output: OutputOptions

    static let isListing = true

    func perform(_ bench: Workbench) throws -> Int32 {
        let key = options.passphrase.isGiven ? try options.passphrase.read(bench.console) : nil
        for (place, path) in options.paths.enumerated() {
            let repository = try bench.besides(place == 0 ? nil : "--also") { () throws(Failure) in
                try bench.openKeyless(path, .reading)
            }
            try show(repository, key, bench.console)
        }
        return 0
    }

    private func show(_ repository: Repository, _ key: SlotKey?, _ console: Console) throws {
        let state = repository.log.state
        let location = repository.store.location
        try console.say("Repository \(repository.id) in \(location):")
        if state.isDestroyed { try console.say("It was destroyed by its owner.") }
        try console.tell([
            ("event", "repository"), ("repository", .text(repository.id.description)),
            ("vault", .text(repository.vault.hex)), ("location", .text(location)),
            ("destroyed", .flag(state.isDestroyed)),
        ])
        try showSlots(try repository.slots(), key, location, console)
        try showGenerations(state, console)
        try showWriters(state, console)
    }

    private func showSlots(_ slots: [HeldSlot], _ key: SlotKey?, _ location: String, _ console: Console) throws {
        var table = Table([("SLOT", .left), ("KIND", .left), ("COPIES", .right), ("", .left)])
        for held in slots {
            let opens = key.flatMap { key in held.slot.map { (try? $0.unwrap(key)) != nil } }
            var kind = "damaged"
            if let slot = held.slot { if case .passphrase = slot.lock { kind = "passphrase" } else { kind = "cmk" } }
            table.add([
                held.digest.brief, kind, String(held.names.count), opens == true ? "opened by what was given" : "",
            ])
            var members: [(String, JSON)] = [
                ("event", "slot"), ("slot", .text(held.digest.hex)), ("kind", .text(kind)),
                ("copies", .number(UInt64(held.names.count))), ("location", .text(location)),
            ]
            if let opens { members.append(("opened", .flag(opens))) }
            try console.tell(members)
        }
        for line in table.lines { try console.say(line) }
    }

    private func showGenerations(_ state: LogState, _ console: Console) throws {
        for generation in state.readers.keys.sorted() {
            let standing =
                generation == state.newestReader ? "newest" : generation < state.oldestReader ? "retired" : "in use"
            try console.say("Reader generation \(generation): \(standing)")
            try console.tell([
                ("event", "generation"), ("generation", .number(UInt64(generation))), ("standing", .text(standing)),
            ])
        }
    }

    private func showWriters(_ state: LogState, _ console: Console) throws {
        var counts: [AuthorID: UInt64] = [:]
        for snapshot in state.snapshots.values where !snapshot.isForgotten {
            if let author = snapshot.author { counts[author, default: 0] += 1 }
        }
        for author in state.revoked where counts[author] == nil { counts[author] = 0 }
        for (author, count) in counts.sorted(by: { $0.key < $1.key }) {
            let isRevoked = state.revoked.contains(author)
            try console.say(
                "Writer \(author.hex): \(Words.count(count, "snapshot", "snapshots"))\(isRevoked ? ", revoked" : "")")
            try console.tell([
                ("event", "writer"), ("writer", .text(author.hex)), ("snapshots", .number(count)),
                ("revoked", .flag(isRevoked)),
            ])
        }
    }
}
