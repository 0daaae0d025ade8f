internal import ArgumentParser
import Platform
import Repository
import Sealing

/// Who can open a repository, who can write to it, and its end.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Change who can open the repository and who can write to it.",
        subcommands: [
            KeysListCommand.self, KeysAddPassphraseCommand.self, KeysChangePassphraseCommand.self,
            KeysRemoveCommand.self, KeysRewrapCommand.self, KeysIssueWriterCommand.self, KeysRevokeCommand.self,
            KeysRotateCommand.self,
            KeysRetireCommand.self, KeysDestroyCommand.self,
        ])
}

/// Which vaults a change of keys is made in, and by whose keys.
struct KeyChangeOptions: ParsableArguments, Sendable {
    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions

    @Option(
        name: .long,
        help: ArgumentHelp("Another vault of the repository, in which to change the same.", valueName: "dir"))
    var also: [String] = []

    var paths: [String] { [vault.path] + also }

    func open(_ bench: Workbench) throws -> KeyChange {
        try KeyChange(
            try bench.openToChangeKeys(paths, passphrase), surroundings: bench.surroundings)
    }

    /// What is said when copies in vaults that were not named hold the old slots still.
    func remindOfOthers(_ bench: Workbench) throws {
        try bench.console.say(
            "Vaults that were not named here keep their slots as they are: name them with --also.")
    }
}

/// The new passphrase.
struct NewPassphraseOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("new-passphrase-file"),
        help: ArgumentHelp("The file that holds the new passphrase.", valueName: "file"))
    var file: String

    func read(_ console: Console) throws(Failure) -> SlotKey {
        .passphrase(try PassphraseOptions.passphrase(in: file, console))
    }
}

extension Digest {
    /// Enough of it for people.
    var brief: String { String(hex.prefix(12)) }
}
