internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Restore
import Sealing

/// Issues a writer's file.
struct KeysIssueWriterCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "issue-writer", abstract: "Make a file by which a machine can back up and read nothing.",
        discussion: "Use it as `backup --writer-file FILE`. `keys revoke` ends it.")

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions

    @Option(name: .customLong("out"), help: ArgumentHelp("The file to make.", valueName: "file"))
    var file: String

    @Option(name: .long, help: "Who will hold it: what to call the writer when it is revoked.")
    var name: String

    static let whenInterrupted: String? = "Remove the file, if it is there."

    func validate() throws {
        let isPlain = name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        if name.isEmpty || name.utf8.count > WriterFile.longestName || !isPlain {
            throw ValidationError(
                "--name takes 1 to \(WriterFile.longestName) bytes of text without control characters.")
        }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let path = try VaultFolder.pathOutside(file)
        let repository = try bench.open(vault.path, .reading, passphrase: try passphrase.read(bench.console))
        guard let bundle = repository.keys.bundle else { throw Failure(.refused, "the root key is not at hand") }
        let writer = try WriterFile(name: name, of: bundle, surroundings: bench.surroundings)
        guard let author = writer.author, !repository.log.state.revoked.contains(author) else {
            throw Failure(
                .refused, "the writer \(Words.visible(name)) was revoked, and whatever bears that name with it",
                advice: "Choose another name.")
        }
        let held = repository.log.state.snapshots.values.count { $0.author == author }
        if held > 0 {
            bench.console.warn(
                "a writer of the name \(Words.visible(name)) has made \(Words.count(held, "snapshot", "snapshots")) here: "
                    + "`keys revoke` ends all files of that name together")
        }
        try NewFile.write(path, surroundings: bench.surroundings) { try $0.file.write(Array(writer.text.utf8)) }
        try bench.console.say("Made \(path) for the writer \(name), \(author.hex).")
        try bench.console.say("It is a secret: whoever holds it can add to the repository until it is revoked.")
        try bench.console.tell([
            ("event", "result"), ("writer", .text(author.hex)), ("name", .text(name)),
            ("file", .text(path.description)),
        ])
        return 0
    }
}
