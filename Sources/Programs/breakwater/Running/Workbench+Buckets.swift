import Glibc
import ObjectStore
import Platform
import S3Store

/// Vaults in buckets: `s3://BUCKET/PREFIX`, with what the environment and the AWS files say.
extension Workbench {
    static func isInBucket(_ vault: String) -> Bool { vault.hasPrefix(S3Address.scheme) }

    /// Makes the directory of a vault where it lacks. A bucket is its owner's to make: it has a region, rights and rules.
    func makePlace(of vault: String) throws(Failure) {
        try RawArguments.requireVault(vault)
        if !Self.isInBucket(vault) { try DirectoryStore.makeRoot(at: vault) }
    }

    func bucket(at address: String, _ access: StoreAccess) throws(Failure) -> S3Store {
        let settings = try S3Settings(
            S3Address(address), variable: ClientState.variable,
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
        return try S3Store(settings, access: access, surroundings: surroundings)
    }
}
