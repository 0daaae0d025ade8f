import Glibc
package import Platform

/// Small files that only their owner may read: keys, certificates, what must survive a crash.
///
/// A write is all or nothing: a new file beside the old one, made with mode 0600, synced, renamed over it, and the
/// directory synced.
package enum PrivateFile {
    package static let longest = 4 << 20

    package static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let fresh = path + ".new"
        // A leftover of a crash has never been anything but ours.
        _ = unsafe unlink(fresh)
        let file = try Descriptor.open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        try file.write(bytes)
        try file.sync()
        try file.close()
        guard unsafe rename(fresh, path) == 0 else { throw .system(errno, "cannot rename \(fresh)") }
        try syncDirectory(of: path)
    }

    /// Nil when there is no such file.
    package static func read(_ path: String) throws(Failure) -> [UInt8]? {
        let file: Descriptor
        do { file = try Descriptor.open(path, O_RDONLY) } catch  where error.code == .notFound { return nil }
        var bytes: [UInt8] = []
        while true {
            let some = try file.readSome(limit: 64 << 10)
            if some.isEmpty { return bytes }
            bytes += some
            guard bytes.count <= longest else {
                throw Failure(.damaged, "\(path) is longer than the \(longest) bytes that can be right")
            }
        }
    }

    /// Done already when there is no such file.
    package static func remove(_ path: String) throws(Failure) {
        guard unsafe unlink(path) == 0 else {
            if errno == ENOENT { return }
            throw .system(errno, "cannot remove \(path)")
        }
        try syncDirectory(of: path)
    }

    /// The directory with all above it, closed to others where it is new.
    package static func makeDirectory(_ path: String) throws(Failure) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            guard unsafe mkdir(made, 0o700) == 0 || errno == EEXIST else {
                throw .system(errno, "cannot make the directory \(made)")
            }
        }
    }

    /// Names in a directory, sorted; none when it does not exist.
    package static func names(in path: String) throws(Failure) -> [String] {
        guard let directory = unsafe opendir(path) else {
            if errno == ENOENT { return [] }
            throw .system(errno, "cannot list \(path)")
        }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func syncDirectory(of path: String) throws(Failure) {
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        try Descriptor.open(parent, O_RDONLY | O_DIRECTORY).sync()
    }
}
