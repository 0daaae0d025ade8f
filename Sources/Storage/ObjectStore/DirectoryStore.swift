import Glibc
package import Platform
import Synchronization

/// A vault in a directory of a Linux file system: every object is one file, named by its key.
///
/// What makes a put atomic, exclusive and durable, in the order of the steps (`DirectoryStore+Put.swift`):
/// 1. the directories of the key are made, and their names made durable up to the root;
/// 2. the bytes go into a temporary file of their own under `tmp/`, which is made durable;
/// 3. the file is given its name by one call that fails when the name is taken (`renameat2` with
///    RENAME_NOREPLACE; `link` where the file system does not know that);
/// 4. the directory that now holds the name is made durable.
///
/// A crash before 3 leaves nothing but a file in `tmp/`, which a later opening sweeps; a crash after 3 leaves a
/// whole object, whose bytes were durable before it had a name.
///
/// Only regular files are objects, and no symbolic link below the root is ever followed. Directories are made with
/// mode 0700 and never removed, but by `abandon`, and where an empty one lies under the name of an object that is put;
/// files with mode 0400: they are written once. A key that is the directory of another key cannot be put; the repository
/// names no such two.
package final class DirectoryStore: MendingStore {
    package typealias Access = StoreAccess

    /// The directory of temporaries; no key starts with it.
    static let temporaries = "tmp"

    package let location: String
    package let access: Access
    let root: Directory
    /// Bytes that `.data` puts leave free.
    package let reserve: UInt64
    let surroundings: Surroundings
    let faults: FaultPoint?
    /// Directories whose names this store has made durable: nobody removes them, so once is enough.
    let durable = Mutex<Set<String>>([""])
    /// Numbers the temporaries of this process: its stores may be handed the same randomness in tests.
    static let sequence = Atomic<UInt64>(0)

    /// Opens the vault in an existing directory. For writing, `tmp/` is made where it lacks, and swept.
    /// - Parameter reserve: bytes that `.data` puts leave free; nil for the default, see `defaultReserve`.
    package init(
        at path: String, access: Access, surroundings: Surroundings, reserve: UInt64? = nil, faults: FaultPoint? = nil
    ) throws(Failure) {
        location = path
        self.access = access
        self.surroundings = surroundings
        self.faults = faults
        do throws(Failure) {
            root = try Directory(at: path)
        } catch {
            throw error.code == .notFound
                ? Failure(
                    .notFound, "there is no vault at \(path)",
                    advice: "Check the path, or make one with `breakwater repository init`.")
                : error
        }
        if let reserve {
            self.reserve = reserve
        } else {
            self.reserve = try Self.defaultReserve(total: Self.space(of: root).total)
        }
        guard access == .writing else { return }
        try faults?.reach(.makeDirectory)
        if try root.makeDirectory(Array(Self.temporaries.utf8), mode: 0o700) {
            try faults?.reach(.synchronizeDirectory)
            try root.synchronize()
        }
        try sweep()
    }

    /// Makes the directory of a vault, with the directories above it that lack. One that stands is left as it is.
    /// - Returns: the paths of those that were made, from above.
    @discardableResult
    package static func makeRoot(at path: String) throws(Failure) -> [[UInt8]] {
        try Directory.make(at: Array(path.utf8))
    }

    /// 64 MiB or one hundredth of the disk, whichever is more; on a small disk no more than an eighth of it.
    static func defaultReserve(total: UInt64) -> UInt64 {
        min(max(64 << 20, total / 100), total / 8)
    }

    package func space() throws(Failure) -> StoreSpace? { try Self.space(of: root) }

    private static func space(of root: borrowing Directory) throws(Failure) -> StoreSpace {
        var raw = statvfs()
        if unsafe fstatvfs(root.number, &raw) != 0 {
            throw Failure.system(errno, "cannot ask for the free space of \(root.label)")
        }
        let unit = UInt64(raw.f_frsize)
        return StoreSpace(total: UInt64(raw.f_blocks) &* unit, free: UInt64(raw.f_bavail) &* unit)
    }

    /// Takes the folders away that opening it for writing and a probe have made, if nothing else is there, so that a
    /// directory that was empty is so again. Nothing can be put by this store afterwards.
    /// - Throws: what the directory throws, when one of the two is not empty, for one.
    package func abandon() throws(Failure) {
        let own = [Self.temporaries, StoreProbe.folder].map { Array($0.utf8) }
        guard try root.entries().allSatisfy({ own.contains($0.name) }) else { return }
        for name in own { _ = try root.remove(name, directory: true) }
    }

    // MARK: - Reading

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        guard let file = try open(key, flags: O_RDONLY | O_NONBLOCK) else { throw absent(key) }
        defer { close(file) }
        guard let length = try length(of: file, key) else { throw absent(key) }
        guard range.upperBound <= length else {
            throw Failure(
                .damaged,
                "\(key) in \(location) ends at byte \(length), before byte \(range.upperBound) that was asked for",
                advice: "The object was cut short; take it from another copy of the vault")
        }
        let count = Int(range.upperBound - range.lowerBound)
        var number: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let offset = off_t(range.lowerBound) + off_t(filled)
                guard let base = buffer.baseAddress else { return }
                let got = unsafe pread(file, base + filled, count - filled, offset)
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    number = errno
                    return
                }
            }
        }
        if number != 0 { throw Failure.system(number, "cannot read \(key) in \(location)") }
        guard bytes.count == count else {
            throw Failure(.damaged, "\(key) in \(location) was cut short while it was read")
        }
        return bytes
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? {
        guard let file = try open(key, flags: Directory.locating) else { return nil }
        defer { close(file) }
        return try length(of: file, key)
    }

    /// The open file of a key, or nil when there is none.
    private func open(_ key: StoreKey, flags: Int32) throws(Failure) -> Int32? {
        let file = root.tryOpenBeneath(Array(key.text.utf8), flags: flags)
        switch -file {
        case ENOENT, ENOTDIR: return nil
        case ELOOP, ENXIO: throw notAnObject(key)
        case EACCES where isThere(key), EPERM where isThere(key):
            throw .unreadable(key, in: location, String(systemError: -file))
        case 1...: throw Failure.system(-file, "cannot open \(key) in \(location)")
        default: return file
        }
    }

    /// Whether something lies under a key, whoever may read it: then what forbids that forbids it of this object, and not of
    /// the directories that lead there.
    private func isThere(_ key: StoreKey) -> Bool {
        let file = root.tryOpenBeneath(Array(key.text.utf8), flags: Directory.locating)
        guard file >= 0 else { return false }
        close(file)
        return true
    }

    /// Nil for a directory: there are objects below the key, and none at it.
    private func length(of file: Int32, _ key: StoreKey) throws(Failure) -> UInt64? {
        let status = try FileStatus(of: file, label: "\(key) in \(location)")
        if status.kind == .directory { return nil }
        guard status.kind == .file else { throw notAnObject(key) }
        return status.size
    }

    private func absent(_ key: StoreKey) -> Failure { Failure(.notFound, "\(key) is not in \(location)") }

    private func notAnObject(_ key: StoreKey) -> Failure {
        Failure(
            .damaged, "\(key) in \(location) is not a regular file, or a symbolic link leads to it",
            advice: "Nothing was followed; take the object from another copy of the vault")
    }

    // MARK: - Deleting

    package func delete(_ key: StoreKey) throws(Failure) {
        try requireWriting(key)
        let (path, name) = Self.split(key)
        do throws(Failure) {
            let parent = try path.isEmpty ? root.directory([UInt8(ascii: ".")]) : root.directory(path)
            // A directory is no object: there is nothing to delete.
            guard try parent.status(of: name)?.kind != .directory else { return }
            try faults?.reach(.delete)
            _ = try parent.remove(name)
            do throws(Failure) {
                try faults?.reach(.synchronizeDirectory)
                try parent.synchronize()
            } catch {
                throw unknown("deleting \(key)", error)
            }
        } catch {
            if error.code == .notFound { return }
            throw error
        }
    }

    // MARK: - What the parts share

    func requireWriting(_ key: StoreKey) throws(Failure) {
        guard access == .writing else {
            throw Failure(.refused, "\(location) is open for reading only", advice: "Nothing was changed")
        }
        if key.text == Self.temporaries || key.text.hasPrefix(Self.temporaries + "/") {
            throw Failure(.usage, "\(key) lies where a directory store keeps its temporary files")
        }
    }

    func unknown(_ what: String, _ cause: Failure) -> Failure {
        Failure(
            .unknownOutcome, "\(what) in \(location) may or may not survive a power cut",
            advice: "Read it back before relying on either", cause: cause)
    }

    /// The directories of a key, and the name in the last of them.
    static func split(_ key: StoreKey) -> (path: [UInt8], name: [UInt8]) {
        let bytes = Array(key.text.utf8)
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return ([], bytes) }
        return (Array(bytes[..<slash]), Array(bytes[(slash + 1)...]))
    }
}
