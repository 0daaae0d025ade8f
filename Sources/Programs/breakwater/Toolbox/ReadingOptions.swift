internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// What the commands that read snapshots have in common: the vault, its key, and where else to take what is damaged.
struct ReadingOptions: ParsableArguments, Sendable {
    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions

    @Option(name: .long, help: ArgumentHelp("Another vault to take from what is damaged.", valueName: "dir"))
    var also: [String] = []

    @Option(name: .long, help: "The label of the stream, where there are several of a kind.")
    var stream: String?

    /// - Parameter base: where the content of disks is read.
    func open(_ bench: Workbench, base: BaseOptions? = nil) throws -> Repository {
        try bench.open(
            vault.path, .reading, passphrase: try bench.key(passphrase, of: vault.path), also: also,
            base: try base?.open(bench, .reading))
    }
}
