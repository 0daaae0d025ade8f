import Glibc
import Platform

/// What is left out where a walk is: the patterns it was given, and those of the files it came by.
struct ExcludeScope {
    private struct Level {
        var list: ExcludeList
        /// How many names of `path` lead to where its patterns stand.
        var base: Int
    }

    /// The patterns given by the person go before those of files, and a file goes before those of the directories above.
    private let given: ExcludeList
    private var levels: [Level] = []
    /// From the path that was named to where the walk is.
    private var path: [[UInt8]] = []

    init(_ given: ExcludeList) { self.given = given }

    mutating func enter(_ name: [UInt8]) { path.append(name) }

    mutating func leave() {
        path.removeLast()
        while let last = levels.last, last.base > path.count { levels.removeLast() }
    }

    /// A walk that begins at a path that was named.
    mutating func begin() { (path, levels) = ([], []) }

    /// Patterns of a file in the directory where the walk is.
    mutating func add(_ list: ExcludeList) {
        if !list.patterns.isEmpty { levels.append(Level(list: list, base: path.count)) }
    }

    var isEmpty: Bool { given.patterns.isEmpty && levels.isEmpty }

    func leavesOut(_ name: [UInt8], isDirectory: Bool) -> Bool {
        if let verdict = given.verdict(name, below: path[...], isDirectory: isDirectory) { return verdict }
        for level in levels.reversed() {
            if let verdict = level.list.verdict(name, below: path[level.base...], isDirectory: isDirectory) {
                return verdict
            }
        }
        return false
    }
}

/// Files that say of their directory what is left out of it.
enum ExcludeFiles {
    static let patterns = Array(".breakwaterignore".utf8)
    static let cacheTag = Array("CACHEDIR.TAG".utf8)
    /// What a cache's tag begins with (Cache Directory Tagging Specification).
    private static let signature = Array("Signature: 8a477f597d28d172789f06886806bc55".utf8)

    static func isCache(_ directory: borrowing Directory) -> Bool {
        (try? read(cacheTag, in: directory, atMost: signature.count)) == signature
    }

    /// The first bytes of a file, at most `limit`; nil where the name is not there. Links are not followed.
    /// - Throws: `.refused` for what is no plain file; what opening and reading throw.
    static func read(
        _ name: [UInt8], in directory: borrowing Directory, atMost limit: Int
    ) throws(Failure) -> [UInt8]? {
        // Looked at before it is opened, which has effects on a device.
        guard let status = try directory.status(of: name) else { return nil }
        guard status.kind == .file else { throw Failure(.refused, "it is no plain file") }
        let opened = directory.tryOpenBeneath(name, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        if opened == -ENOENT { return nil }
        guard opened >= 0 else { throw Failure.system(-opened, "cannot read \(directory.describe(name))") }
        let file = Descriptor(owning: opened, label: directory.describe(name))
        guard try FileStatus(of: opened, label: file.label).kind == .file else {
            throw Failure(.refused, "it is no plain file")
        }
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let more = try file.readSome(limit: min(64 << 10, limit - bytes.count))
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }
}
