internal import ArgumentParser
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing

/// The end of a repository.
struct KeysDestroyCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "Destroy every key of the repository: nothing of it can be read ever again.",
        discussion: """
            It asks for the repository's id, which `keys list` shows, and says first who leans on templates in it. Vaults that are not named with --also learn of it with \
            the next copy, and open until then.
            """)

    @OptionGroup var options: KeyChangeOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("yes-destroy"),
        help: ArgumentHelp("The repository's id, instead of being asked for it.", valueName: "id"))
    var consent: String?

    static let whenInterrupted: String? = "Run it again until each vault has confirmed."

    func perform(_ bench: Workbench) throws -> Int32 {
        let vaults = try bench.openToDestroy(options.paths, options.passphrase)
        guard let id = (vaults.living + vaults.ended).first?.id else { throw Failure(.failed, "no vault was opened") }
        let destruction = try Destruction(ended: vaults.ended, living: vaults.living)
        let tenants = destruction.tenants
        warn(of: tenants, bench.console)
        try confirm(id, bench)
        let kept = ClientSiteKeys(bench, passphrase: options.passphrase)
        let confirmed = try destruction.run { vault, site in
            _ = try kept.keep(site, for: vault.id, at: vault.store.location)
        }
        for vault in confirmed {
            try bench.console.say("\(vault.location) confirms: record \(vault.record), no key slot is left.")
        }
        try bench.console.say(
            "Repository \(id) is destroyed. What lies in its vaults can be collected, and never be read.")
        try bench.console.tell([
            ("event", "result"), ("repository", .text(id.description)),
            (
                "confirmed",
                .list(
                    confirmed.map {
                        .object([
                            ("location", .text($0.location)), ("record", .number($0.record)),
                            ("slots", .number(UInt64($0.slots))),
                        ])
                    })
            ), ("tenants", .list(tenants.keys.map(\.description).sorted().map { .text($0) })),
        ])
        return 0
    }

    private func warn(of tenants: [RepositoryID: Set<Digest>], _ console: Console) {
        guard let first = tenants.keys.map(\.description).min() else { return }
        let templates = UInt64(tenants.values.reduce(Set()) { $0.union($1) }.count)
        let which = tenants.count == 1 ? "repository \(first)" : "\(tenants.count) repositories, the first \(first),"
        console.warn(
            "\(which) may lean on \(Words.count(templates, "template", "templates")) here: with the keys of this one, "
                + "snapshots there lose what they lean on, and nothing brings it back")
    }

    private func confirm(_ id: RepositoryID, _ bench: Workbench) throws {
        var answer = consent
        if answer == nil, isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 {
            Console.write("Nothing of repository \(id) can be read ever again. Type its id: ", to: STDERR_FILENO)
            answer = readLine()
        }
        guard let answer else {
            throw Failure(
                .refused, "nobody was there to be asked whether repository \(id) is to be destroyed",
                advice: "Nothing was changed. Add --yes-destroy with its id if that is what you mean.")
        }
        guard answer.lowercased() == id.description else {
            throw Failure(
                .refused, "that is not the id of the repository in \(options.vault.path)",
                advice: "Nothing was changed. `breakwater repository keys list` shows it.")
        }
    }
}
