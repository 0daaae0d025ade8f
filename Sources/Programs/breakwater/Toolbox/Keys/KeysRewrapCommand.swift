internal import ArgumentParser
import Platform
import Repository
import Sealing

/// Puts the repository under another key.
struct KeysRewrapCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "re-wrap", abstract: "Put the repository under a key in a token, or back under a passphrase.",
        discussion: """
            Every other slot goes: a repository under a key that its owner can withdraw has no passphrase. A few bytes \
            change, whatever the size of the vault.
            """)

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("new-cmk"),
        help: ArgumentHelp(
            "The key: pkcs11:token=T;object=K?module-path=P&pin-source=file:/F", valueName: "uri"))
    var newKey: String?

    @Option(
        name: .customLong("new-passphrase-file"),
        help: ArgumentHelp("The file that holds the new passphrase.", valueName: "file"))
    var newFile: String?

    static let whenInterrupted: String? = "The old key opens the repository, or the new one, or both. Run it again."

    func validate() throws {
        if (newKey == nil) == (newFile == nil) {
            throw ValidationError("Give either --new-cmk or --new-passphrase-file.")
        }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let new: SlotKey
        if let newKey {
            new = .token(try KeyURI(newKey).key())
        } else {
            new = .passphrase(try PassphraseOptions.passphrase(in: newFile, bench.console))
        }
        let old = try options.passphrase.read(bench.console)
        let result = try options.open(bench).replace(old, by: new, onlyWay: true)
        try bench.console.say("Nothing but \(new.title) opens the repository, by slot \(result.slot.brief).")
        try options.remindOfOthers(bench)
        try bench.console.tell([
            ("event", "result"), ("slot", .text(result.slot.hex)),
            ("removed", .list(result.gone.sorted().map { .text($0.hex) })),
        ])
        return 0
    }
}
