import Glibc
import ObjectStore
import Platform
import Repository
import Sealing

extension Workbench {
    /// Opens to back up: with the passphrase, or with a writer's file, which opens nothing else.
    func openToWrite(_ vault: String, _ options: PassphraseOptions) throws(Failure) -> Repository {
        guard let path = options.writerFile else {
            return try open(vault, .writing, passphrase: try options.read(console))
        }
        let writer = try writerFile(at: path)
        let author = Keys.Author(key: writer.key, certificate: writer.certificate)
        let keys = Keys(
            writerSecret: writer.secret, repository: writer.repository, author: author, site: nil)
        let repository = try Repository.open(
            try store(at: vault, .writing), .granted(keys), expecting: writer.repository, heads: heads(),
            surroundings: surroundings, resources: resources)
        if let author = writer.author, repository.log.state.revoked.contains(author) {
            throw Failure(
                .refused, "the writer \(Words.visible(writer.name)) was revoked by the repository's owner",
                advice: "Nothing was stored. Ask the owner for a new writer's file.")
        }
        return repository
    }

    private func writerFile(at path: String) throws(Failure) -> WriterFile {
        let bytes = try Descriptor.open(try RawArguments.bytes(of: path), O_RDONLY).readSome(limit: WriterFile.largest)
        do throws(Failure) {
            return try WriterFile(text: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw Failure(
                .usage, "\(path) cannot be used as a writer's file: \(error.what)",
                advice: "`breakwater repository keys issue-writer` makes one.")
        }
    }

    /// Opens vaults to change keys: the first by its slots, the others by what is in them.
    func openToChangeKeys(_ paths: [String], _ options: PassphraseOptions) throws(Failure) -> [Repository] {
        let key = try options.read(console)
        let kept = ClientSiteKeys(self, passphrase: options)
        let heads = heads()
        var opened: [Repository] = []
        for path in paths {
            let first = opened.first
            var keys = first?.keys
            keys?.site = nil
            let access = keys.map { Repository.Access.granted($0) } ?? .slot(key)
            opened.append(
                try besides(first.map { _ in "--also" }) { () throws(Failure) in
                    try withSite(try store(at: path, .writing), access, first?.id, heads, kept)
                })
        }
        return opened
    }

    /// With the vault's site key: taken up by the reader key, or else the one that this user keeps.
    private func withSite(
        _ store: any ObjectStore, _ access: Repository.Access, _ expected: RepositoryID?, _ heads: any HeadMemory,
        _ kept: ClientSiteKeys
    ) throws(Failure) -> Repository {
        let opened = try Repository.open(
            store, access, expecting: expected, heads: heads, surroundings: surroundings, resources: resources)
        guard opened.keys.site == nil,
            let site = try kept.find(for: opened.id, at: store.location)
        else { return opened }
        return try Repository.open(
            store, access, expecting: opened.id, site: site, heads: heads, surroundings: surroundings,
            resources: resources)
    }

    /// Opens vaults to be destroyed: those in which the word stands already need no key, and have none any more.
    func openToDestroy(
        _ paths: [String], _ options: PassphraseOptions
    ) throws(Failure) -> (ended: [Repository], living: [Repository]) {
        var ended: [Repository] = []
        var living: [String] = []
        for (place, path) in paths.enumerated() {
            let repository = try besides(place == 0 ? nil : "--also") { () throws(Failure) in
                try openKeyless(path, .writing)
            }
            if repository.log.state.isDestroyed { ended.append(repository) } else { living.append(path) }
        }
        guard !living.isEmpty else { return (ended, []) }
        return (ended, try openToChangeKeys(living, options))
    }
}
