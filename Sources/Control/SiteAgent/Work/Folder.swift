import Glibc
package import Platform

/// Folders of our own, removed with all they hold. No link in them is followed.
package enum Folder {
    /// Done already when there is none.
    package static func remove(_ path: String) throws(Failure) {
        let directory: Directory
        do throws(Failure) { directory = try Directory(at: path) } catch  where error.code == .notFound { return }
        try empty(directory, depth: 0)
        guard unsafe rmdir(path) == 0 || errno == ENOENT else { throw .system(errno, "cannot remove \(path)") }
    }

    private static func empty(_ directory: borrowing Directory, depth: Int) throws(Failure) {
        guard depth < 64 else { throw Failure(.failed, "\(directory.label) lies too deep to be removed") }
        for entry in try directory.entries() {
            guard let status = try directory.status(of: entry.name) else { continue }
            let isDirectory = status.kind == .directory
            if isDirectory { try empty(try directory.directory(entry.name), depth: depth + 1) }
            _ = try directory.remove(entry.name, directory: isDirectory)
        }
    }
}
