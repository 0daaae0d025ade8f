internal import ArgumentParser
import Platform
import Repository
import Sealing

/// Lets old reader generations go.
struct KeysRetireCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Let all reader keys but the newest go.",
        discussion: "It is refused while something that is needed does not open by the newest keys.")

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var others: OtherPassphraseOptions
    @OptionGroup var output: OutputOptions

    static let whenInterrupted: String? = "The repository opens as before. Run it again."

    func perform(_ bench: Workbench) throws -> Int32 {
        let keys = [try options.passphrase.read(bench.console)] + (try others.read(bench.console))
        let rotation = try options.open(bench).retire(keys)
        if rotation.generation == 1 {
            try bench.console.say("There is one reader generation only: nothing to retire.")
        } else {
            try bench.console.say("Reader generation \(rotation.generation) is the only one in use.")
            try options.remindOfOthers(bench)
        }
        try bench.console.tell([
            ("event", "result"), ("generation", .number(UInt64(rotation.generation))),
            ("resealed", .number(UInt64(rotation.resealed))),
        ])
        return 0
    }
}
