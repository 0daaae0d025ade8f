internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// The base repository, of whose templates snapshots hold the difference only.
struct BaseOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("base"),
        help: ArgumentHelp("A vault of the repository of golden templates on which disks lean.", valueName: "vault"))
    var path: String?

    @Option(
        name: .customLong("base-passphrase-file"),
        help: ArgumentHelp("The file that holds the passphrase of that repository.", valueName: "file"))
    var file: String?

    func validate() throws {
        if file != nil && path == nil { throw ValidationError("--base-passphrase-file goes with --base.") }
    }

    /// Opens it with its passphrase; nil where none was named.
    func open(_ bench: Workbench, _ access: StoreAccess) throws(Failure) -> Repository? {
        guard let path else { return nil }
        guard let file else {
            throw Failure(
                .usage, "no passphrase of the base repository was given",
                advice: "Name its file with --base-passphrase-file.")
        }
        let passphrase = try PassphraseOptions.passphrase(in: file, bench.console)
        do throws(Failure) {
            return try bench.besides("--base") { () throws(Failure) in
                try bench.open(path, access, passphrase: .passphrase(passphrase))
            }
        } catch { throw error.during("opening the base") }
    }

    /// Opens it to hold and let go of templates: with its passphrase, or with the site key of a copy that this user made.
    func openAsSite(
        _ bench: Workbench, _ access: StoreAccess, _ passphrase: PassphraseOptions
    ) throws(Failure) -> Repository? {
        guard let path, file == nil else { return try open(bench, access) }
        return try bench.besides("--base") { () throws(Failure) in
            try bench.openAsKeptSite(path, access, passphrase)
        }
    }
}
