import Glibc
import Platform

/// A file with a secret in it, for its owner alone.
enum SecretFile {
    /// Writes a new file; one that is there is left alone. It is durable when this returns.
    /// - Throws: `.exists`.
    static func write(_ text: String, to path: AbsolutePath) throws(Failure) {
        guard let name = path.components.last else { throw Failure(.usage, "\(path) is no name of a file") }
        let folder = AbsolutePath(components: path.components.dropLast())
        let directory = try Directory(at: folder.bytes)
        let file = try directory.file(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        do throws(Failure) {
            try file.write(Array(text.utf8))
            try file.sync()
            try file.close()
            try directory.synchronize()
        } catch {
            _ = try? directory.remove(name)
            throw error
        }
    }
}
