import Glibc
import ObjectStore
import Platform
import Replication
import Repository
import Sealing

/// Site keys of the vaults that this user's copies made, in the user's own state: one file each, for the owner alone.
/// Those of other vaults are taken up with the passphrase, where it is given, and are not kept.
struct ClientSiteKeys: SiteKeys {
    private let surroundings: Surroundings
    private let console: Console
    private let passphrase: PassphraseOptions

    /// - Parameter passphrase: the owner's, read once a key has to be taken up.
    init(_ bench: Workbench, passphrase: PassphraseOptions) {
        surroundings = bench.surroundings
        console = bench.console
        self.passphrase = passphrase
    }

    private func folder() throws(Failure) -> String { try ClientState.directory() + "/sitekeys" }

    private func name(_ repository: RepositoryID, _ location: String) -> String {
        repository.description.prefix(32) + "-" + SHA256.hash(Array(location.utf8)).hex.prefix(32)
    }

    func find(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey? {
        let path = try folder() + "/" + name(repository, location)
        let bytes: [UInt8]
        do throws(Failure) {
            bytes = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).readSome(limit: 4096)
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        guard bytes.last == UInt8(ascii: "\n"),
            let seed = Hex.decode(String(decoding: bytes.dropLast(), as: UTF8.self)), seed.count == 32
        else {
            throw Failure(
                .damaged, "\(path), the site key of the vault in \(location), cannot be read",
                advice: "Nothing was copied. The vault's owner can take its key up with the passphrase.")
        }
        return try SigningKey(seed: seed)
    }

    func make(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey {
        try keep(try SigningKey(random: surroundings), for: repository, at: location)
    }

    /// Keeps a key, unless one is kept already: that one then.
    @discardableResult
    func keep(
        _ key: SigningKey, for repository: RepositoryID, at location: String
    ) throws(Failure) -> SigningKey {
        let folder = try folder()
        try Directory.make(at: Array(folder.utf8))
        let directory = try Directory(at: folder)
        let temporary = Array((".new-" + Hex.encode(surroundings.random(8))).utf8)
        let isFirst: Bool
        do throws(Failure) {
            let file = try directory.file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try file.write(Array((Hex.encode(key.seed) + "\n").utf8))
            try file.sync()
            try file.close()
            isFirst = try directory.move(temporary, to: directory, as: Array(name(repository, location).utf8))
            if !isFirst { _ = try directory.remove(temporary) }
            try directory.synchronize()
        } catch {
            _ = try? directory.remove(temporary)
            throw error
        }
        if isFirst { return key }
        guard let known = try find(for: repository, at: location) else {
            throw Failure(
                .failed, "the site key of \(location) was taken away while it was made",
                advice: "Nothing was copied. Run it again.")
        }
        return known
    }

    func takeUp(_ vault: any ObjectStore, of repository: RepositoryID) throws(Failure) -> SigningKey? {
        guard passphrase.isGiven else { return nil }
        let secret = try passphrase.read(console)
        return try Repository.open(
            vault, .slot(secret), expecting: repository, heads: NoHeadMemory(), surroundings: surroundings
        ).keys.site
    }
}
