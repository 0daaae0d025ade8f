import Glibc
import ObjectStore
import Platform
import Repository
import S3Store

/// Vaults in buckets: `s3://BUCKET/PREFIX`, or in two with `locked=`, with what the environment and the AWS files say.
extension Workbench {
    static func isInBucket(_ vault: String) -> Bool { vault.hasPrefix(S3Address.scheme) }

    /// Makes the directory of a vault where it lacks, outside of every other vault, and does `body` with its path. When that
    /// fails, the directories that were made are taken away again, unless something was put there.
    ///
    /// A bucket is its owner's to make, since it has a region, rights and rules; of its address is only seen whether it
    /// serves for writing, before anything is asked there.
    func inPlace<Result>(of vault: String, _ body: (String) throws -> Result) throws -> Result {
        try RawArguments.requireVault(vault)
        guard !Self.isInBucket(vault) else {
            _ = try S3Vault.lock(of: try S3Address(vault), for: .writing)
            return try body(vault)
        }
        let vault = VaultFolder.settled(vault)
        try VaultFolder.requireOutside(Array(vault.utf8), isVault: true)
        let made = try DirectoryStore.makeRoot(at: vault)
        do {
            return try body(vault)
        } catch {
            // One that is not empty stays, and those above it; the first error is the one to tell.
            for path in made.reversed() { unsafe Name.with(path) { _ = unsafe rmdir($0) } }
            throw error
        }
    }

    /// Opens a vault for writing and proves that its store serves. When that or what is done with it fails and has put
    /// nothing, a directory that was empty before is so again.
    func fill<Result>(
        _ vault: String, wasEmpty: Bool, _ body: (any ObjectStore) throws -> Result
    ) throws -> Result {
        let store = try store(at: vault, .writing)
        do {
            try StoreProbe.run(on: store, surroundings)
            return try body(store)
        } catch {
            // Empty folders that stay hurt nothing; the first error is the one to tell.
            if wasEmpty, let directory = store as? DirectoryStore { try? directory.abandon() }
            throw error
        }
    }

    func bucket(at vault: String, _ access: StoreAccess) throws(Failure) -> any ObjectStore {
        let address = try S3Address(vault)
        let settings = try S3Settings(
            address, variable: ClientState.variable,
            read: { path, limit throws(Failure) in
                do throws(Failure) {
                    let file = try Descriptor.open(try RawArguments.path(path).bytes, O_RDONLY | O_NONBLOCK)
                    var bytes: [UInt8] = []
                    while bytes.count <= limit {
                        let more = try file.readSome(limit: limit)
                        if more.isEmpty { return bytes }
                        bytes += more
                    }
                    throw Failure(.refused, "\(path) is longer than \(limit) bytes")
                } catch {
                    guard error.code == .notFound else { throw error }
                    return nil
                }
            })
        let locked = ObjectKind.allCases.filter(\.isLocked)
        let names = LockedNames(
            folders: Set(locked.map(\.folder)), longest: locked.map(\.largest).max() ?? 0
        ) { key, bytes in ObjectName(path: key.text)?.promises(bytes) ?? false }
        return try S3Vault.open(address, settings, names, access: access, surroundings: surroundings)
    }
}
