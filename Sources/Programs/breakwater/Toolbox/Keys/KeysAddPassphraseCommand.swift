internal import ArgumentParser
import Platform
import Repository

/// Adds a passphrase.
struct KeysAddPassphraseCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-passphrase", abstract: "Let another passphrase open the repository too.")

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var new: NewPassphraseOptions
    @OptionGroup var output: OutputOptions

    static let whenInterrupted: String? = "`breakwater repository keys list` shows whether the slot was added."

    func perform(_ bench: Workbench) throws -> Int32 {
        let new = try new.read(bench.console)
        let slot = try options.open(bench).add(new)
        try bench.console.say("Added key slot \(slot.brief).")
        try bench.console.tell([("event", "result"), ("slot", .text(slot.hex))])
        return 0
    }
}
