internal import CLinux
internal import Glibc

/// An open directory, owned: every file below it is named relative to it, so that nothing that happens to the
/// path above it, and no symbolic link below it, leads anywhere else.
///
/// Names and relative paths are bytes, as Linux has them. Symbolic links are never followed. Calls throw what
/// `Failure.system` makes of errno. All calls that change something are made by descriptor and safe from several
/// threads; moving the read position (`names`) opens the directory anew.
package struct Directory: ~Copyable, Sendable {
    /// O_PATH, which glibc keeps from Swift: a descriptor that locates a file without opening it.
    package static let locating: Int32 = 0o10000000

    /// O_NOATIME, likewise: reading leaves the time of last access alone. For the owner of a file and root only.
    package static let withoutAccessTime: Int32 = 0o1000000

    /// The descriptor itself, for calls that are not wrapped here; closed by `Directory`.
    package let number: Int32
    /// What errors call it.
    package let label: String

    /// Takes over an open descriptor of a directory.
    package init(owning number: Int32, label: String) {
        self.number = number
        self.label = label
    }

    /// Opens a path given by a person; symbolic links in it are followed, as they are asked for.
    package init(at path: [UInt8]) throws(Failure) {
        label = String(decoding: path, as: UTF8.self)
        number = unsafe Name.with(path) { unsafe open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        if number < 0 { throw Failure.system(errno, "cannot open the directory \(label)") }
    }

    package init(at path: String) throws(Failure) { try self.init(at: Array(path.utf8)) }

    deinit { close(number) }

    /// Makes a directory at a path given by a person, with the directories above it that lack, each for its owner
    /// alone. What stands is left as it is.
    /// - Returns: the paths of those that were made, from above.
    @discardableResult
    package static func make(at path: [UInt8]) throws(Failure) -> [[UInt8]] {
        var made: [[UInt8]] = []
        var at = path.first == UInt8(ascii: "/") ? [UInt8(ascii: "/")] : [UInt8(ascii: ".")]
        for component in path.split(separator: UInt8(ascii: "/")) {
            let parent = try Directory(at: at)
            let isNew = try parent.makeDirectory(Array(component), mode: 0o700)
            if isNew { try parent.synchronize() }
            at += [UInt8(ascii: "/")] + component
            if isNew { made.append(at) }
        }
        return made
    }

    /// Makes everything on the file system of this directory survive a power cut.
    package func synchronizeFileSystem() throws(Failure) {
        if linux_sync_file_system(number) != 0 {
            throw Failure.system(errno, "cannot make what is in \(label) durable")
        }
    }

    /// A directory below this one; `path` may have several components.
    package func directory(_ path: [UInt8]) throws(Failure) -> Directory {
        let child = try openBeneath(path, flags: O_RDONLY | O_DIRECTORY)
        return Directory(owning: child, label: describe(path))
    }

    /// A raw descriptor of a file below this one. The caller owns it.
    package func openBeneath(_ path: [UInt8], flags: Int32, mode: UInt32 = 0) throws(Failure) -> Int32 {
        let file = tryOpenBeneath(path, flags: flags, mode: mode)
        if file < 0 { throw Failure.system(-file, "cannot open \(describe(path))") }
        return file
    }

    /// The same, with a negative error number for a failure: for callers to whom the number matters.
    package func tryOpenBeneath(_ path: [UInt8], flags: Int32, mode: UInt32 = 0) -> Int32 {
        let file = unsafe Name.with(path) { unsafe linux_open_beneath(number, $0, flags, mode) }
        return file < 0 ? -errno : file
    }

    /// The status of an entry of this directory (one component), or nil when it is not there.
    package func status(of name: [UInt8]) throws(Failure) -> FileStatus? {
        var raw = stat()
        let result = unsafe Name.with(name) { unsafe fstatat(number, $0, &raw, AT_SYMLINK_NOFOLLOW) }
        if result == 0 { return FileStatus(raw) }
        if errno == ENOENT { return nil }
        throw Failure.system(errno, "cannot look at \(describe(name))")
    }

    /// The status of this directory.
    package func status() throws(Failure) -> FileStatus { try FileStatus(of: number, label: label) }

    /// Where a symbolic link points.
    package func target(of name: [UInt8]) throws(Failure) -> [UInt8] {
        var room = 256
        while true {
            var problem: Int32 = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let got = unsafe Name.with(name) { name in
                    unsafe buffer.withMemoryRebound(to: CChar.self) {
                        unsafe readlinkat(number, name, $0.baseAddress.unsafelyUnwrapped, $0.count)
                    }
                }
                if got < 0 { problem = errno } else { count = got }
            }
            if problem != 0 { throw Failure.system(problem, "cannot read the symbolic link \(describe(name))") }
            // As long as the room there was: there may be more.
            if bytes.count < room { return bytes }
            room *= 4
        }
    }

    package func describe(_ path: [UInt8]) -> String {
        "\(label == "/" ? "" : label)/\(String(decoding: path, as: UTF8.self))"
    }
}
