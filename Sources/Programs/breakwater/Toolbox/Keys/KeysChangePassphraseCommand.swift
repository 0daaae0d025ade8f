internal import ArgumentParser
import Platform
import Repository
import Sealing

/// Puts another passphrase in the place of the one given.
struct KeysChangePassphraseCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "change-passphrase", abstract: "Put a new passphrase in the place of the one given.",
        discussion: """
            The keys inside stay the same: whoever copied an old slot and knows the old passphrase can still read. \
            `keys rotate` and `keys retire` make new ones.
            """)

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var new: NewPassphraseOptions
    @OptionGroup var output: OutputOptions

    static let whenInterrupted: String? = "One of the two passphrases opens the repository, or both. Run it again."

    func perform(_ bench: Workbench) throws -> Int32 {
        let new = try new.read(bench.console)
        let old = try options.passphrase.read(bench.console)
        if case .token = old {
            throw Failure(
                .refused, "the repository is under a key in a token",
                advice: "Nothing was changed. `breakwater repository keys re-wrap` puts it under a passphrase.")
        }
        let result = try options.open(bench).replace(old, by: new)
        try bench.console.say(
            "The new passphrase opens the repository, by slot \(result.slot.brief); the old one does not.")
        try options.remindOfOthers(bench)
        try bench.console.tell([
            ("event", "result"), ("slot", .text(result.slot.hex)),
            ("removed", .list(result.gone.sorted().map { .text($0.hex) })),
        ])
        return 0
    }
}
