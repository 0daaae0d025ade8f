internal import ArgumentParser
import Platform
import Repository
import Sealing

/// Passphrases of the slots that the one given does not open.
struct OtherPassphraseOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("other-passphrase-file"),
        help: ArgumentHelp(
            "The file with the passphrase of another slot, so that it takes up the new keys too.", valueName: "file"))
    var files: [String] = []

    func read(_ console: Console) throws(Failure) -> [SlotKey] {
        try files.map { file throws(Failure) in .passphrase(try PassphraseOptions.passphrase(in: file, console)) }
    }
}

/// Makes a new reader generation.
struct KeysRotateCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Make new reader keys: what is backed up from now on opens by them alone.",
        discussion: """
            What was backed up before is sealed to them besides, and opens by either. `keys retire` then lets the old \
            ones go.
            """)

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var others: OtherPassphraseOptions
    @OptionGroup var output: OutputOptions

    static let whenInterrupted: String? = "The repository opens as before. Run it again."

    func perform(_ bench: Workbench) throws -> Int32 {
        let keys = [try options.passphrase.read(bench.console)] + (try others.read(bench.console))
        let rotation = try options.open(bench).rotate(keys)
        try bench.console.say(
            "Reader generation \(rotation.generation) is the newest; "
                + "\(Words.count(UInt64(rotation.resealed), "session was", "sessions were")) sealed to it besides.")
        try options.remindOfOthers(bench)
        try bench.console.tell([
            ("event", "result"), ("generation", .number(UInt64(rotation.generation))),
            ("resealed", .number(UInt64(rotation.resealed))), ("left", .number(UInt64(rotation.left.count))),
        ])
        if let left = rotation.left.first {
            let count = Words.count(UInt64(rotation.left.count), "snapshot stays", "snapshots stay")
            throw Failure(
                .partial, "\(count) sealed to older keys alone, the first of them \(left.snapshot): \(left.why)",
                advice:
                    "The old keys stay until that is put back (`breakwater repository repair --from`) or these are "
                    + "forgotten: \(rotation.ids).")
        }
        return 0
    }
}
