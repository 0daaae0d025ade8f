internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// Ends what a writer may do.
struct KeysRevokeCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End what a writer may do.",
        discussion: """
            Its snapshots stay and can be restored; nothing that it appends from here on counts, and nobody leans on what \
            it stored. Copies learn of it as they are made. Of a file that was issued and never used the log knows nothing: \
            --unseen revokes its writer all the same.
            """)

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The name it was issued for, or its id or first digits of that, as `keys list` shows it.")
    var writer: String

    @Flag(name: .long, help: "Also a writer of whom the log shows nothing.")
    var unseen = false

    static let whenInterrupted: String? = "`breakwater repository keys list` shows whether the writer was revoked."

    func perform(_ bench: Workbench) throws -> Int32 {
        let change = try options.open(bench)
        let known = Set(change.vaults.flatMap(\.log.state.authors))
        let author = try find(known, change)
        guard unseen || known.contains(author) else {
            throw Failure(
                .notFound, "the log shows no writer \(Words.visible(writer))",
                advice: "Nothing was revoked. `breakwater repository keys list` shows those that stored something. "
                    + "Of a file that was never used, or whose snapshots are gone, --unseen revokes the writer.")
        }
        try change.revoke([author])
        try bench.console.say("Revoked the writer \(author.hex).")
        try bench.console.tell([
            ("event", "result"), ("writer", .text(author.hex)),
            ("vaults", .list(change.vaults.map { .text($0.store.location) })),
        ])
        return 0
    }

    /// Names first: nobody calls a writer by an id that is another's.
    private func find(_ known: Set<AuthorID>, _ change: KeyChange) throws -> AuthorID {
        guard let bundle = change.vaults.first?.keys.bundle else {
            throw Failure(.refused, "the root key is not at hand")
        }
        let named = bundle.writer(named: writer)
        if known.contains(named) { return named }
        if let id = AuthorID(hex: writer.lowercased()) { return id }
        let matching = known.filter { $0.hex.hasPrefix(writer.lowercased()) }
        guard matching.count <= 1 else {
            throw Failure(.usage, "\(matching.count) writers' ids begin with \(writer)", advice: "Give more digits.")
        }
        return matching.first ?? named
    }
}
