internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// Makes a repository in a vault, and proves that it opens.
struct InitCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a repository in an empty vault.",
        discussion: "The passphrase is the only way to the data: keep a copy of it where a fire does not reach it.")

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions

    static let whenInterrupted: String? = "A vault without a genesis record is empty: run the command again."

    func perform(_ bench: Workbench) throws -> Int32 {
        let secret = try passphrase.read(bench.console)
        return try bench.inPlace(of: vault.path) { place in
            // Looked at before it is opened for writing, which makes and sweeps its folder of temporaries.
            let found = try bench.store(at: place, .reading)
            guard try found.length(of: try Record.key(0)) == nil else { throw taken(found.location) }
            let isEmpty = try !Workbench.isInBucket(place) && VaultFolder.requireVacant(found.location)
            return try bench.fill(place, wasEmpty: isEmpty) { try make(in: $0, secret, bench) }
        }
    }

    private func make(in store: any ObjectStore, _ secret: SlotKey, _ bench: Workbench) throws -> Int32 {
        let bundle = try KeyBundle.make(surroundings: bench.surroundings)
        let slot = try Slot.wrap(bundle, secret, surroundings: bench.surroundings)
        do throws(Failure) {
            _ = try Repository.create(
                in: store, charter: bundle.charter, slots: [slot.bytes],
                site: try SigningKey(random: bench.surroundings), surroundings: bench.surroundings)
        } catch {
            // Somebody else was quicker.
            throw error.code == .exists ? taken(store.location) : error
        }
        let repository = try Repository.open(
            store, .slot(secret), heads: bench.heads(), surroundings: bench.surroundings)
        try bench.console.say("Made repository \(repository.id) in \(store.location).")
        try bench.console.say("Whoever has \(secret.title) can read it, and nobody else ever can: keep it safe.")
        try bench.console.tell([
            ("event", "result"), ("repository", .text(repository.id.description)),
            ("vault", .text(repository.vault.hex)), ("location", .text(store.location)),
        ])
        return 0
    }

    private func taken(_ location: String) -> Failure {
        Failure(
            .refused, "\(location) holds a repository already",
            advice: "Nothing of it was changed. Back up into it, or name another directory.")
    }
}
