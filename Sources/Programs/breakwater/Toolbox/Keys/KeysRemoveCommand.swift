internal import ArgumentParser
import Platform
import Repository

/// Removes a key slot.
struct KeysRemoveCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a key slot; never the last one.",
        discussion: "Whoever copied the slot before, and knows what opens it, can still read what that opens.")

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The slot, as `keys list` shows it, or the first digits of it.")
    var slot: String

    static let whenInterrupted: String? = "`breakwater repository keys list` shows which slots are left."

    func perform(_ bench: Workbench) throws -> Int32 {
        let change = try options.open(bench)
        let digest = try find(change.vaults)
        try change.remove(digest, knowing: [try options.passphrase.read(bench.console)])
        try bench.console.say("Removed key slot \(digest.brief).")
        try options.remindOfOthers(bench)
        try bench.console.tell([("event", "result"), ("removed", .text(digest.hex))])
        return 0
    }

    private func find(_ vaults: [Repository]) throws -> Digest {
        var matching: Set<Digest> = []
        for vault in vaults {
            for held in try vault.slots() where held.digest.hex.hasPrefix(slot.lowercased()) {
                matching.insert(held.digest)
            }
        }
        guard let first = matching.first, !slot.isEmpty else {
            throw Failure(
                .notFound, "no key slot begins with \(slot)", advice: "`breakwater repository keys list` shows them.")
        }
        guard matching.count == 1 else {
            throw Failure(.usage, "\(matching.count) key slots begin with \(slot)", advice: "Give more digits.")
        }
        return first
    }
}
