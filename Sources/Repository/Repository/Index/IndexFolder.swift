internal import Glibc
package import Platform

/// Where the files of an index are made: a folder of the program's state, kept from run to run and locked while one
/// process is at it; or a folder for temporary files, in which none has a name.
package final class IndexFolder: Sendable {
    let path: String
    private let directory: Directory
    private let lock: Descriptor?

    private static let made = Array(".new".utf8)
    private static let kept = Array(".run".utf8)

    /// Makes the folder where it lacks, waits until nobody else is at it, and clears what a process that was killed left
    /// half-made. It is free again when this object goes.
    package init(kept path: String) throws(Failure) {
        self.path = path
        keeps = true
        try Directory.make(at: Array(path.utf8))
        directory = try Directory(at: path)
        lock = try Self.locked(path + "/lock")
        for name in try names(ending: Self.made) { _ = try directory.remove(name) }
    }

    package init(scratch path: String) throws(Failure) {
        self.path = path
        keeps = false
        directory = try Directory(at: path)
        lock = nil
    }

    let keeps: Bool

    private static func locked(_ path: String) throws(Failure) -> Descriptor {
        let lock = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
        while flock(lock.number, LOCK_EX) != 0 {
            if errno != EINTR { throw .system(errno, "cannot lock \(path)") }
        }
        return lock
    }

    /// A name for a new file, which it bears until `publish`.
    func newName(_ surroundings: Surroundings) -> [UInt8] {
        Array(Hex.encode(surroundings.random(16)).utf8) + Self.made
    }

    /// A new file; without a name in a folder that does not keep it.
    func create(_ name: [UInt8]) throws(Failure) -> Descriptor {
        let file = try directory.file(name, O_RDWR | O_CREAT | O_EXCL)
        if !keeps { _ = try directory.remove(name) }
        return file
    }

    /// Gives a file that is whole its lasting name.
    func publish(_ name: [UInt8]) throws(Failure) -> [UInt8] {
        let lasting = name.dropLast(Self.made.count) + Self.kept
        try directory.replace(Array(lasting), with: name)
        return Array(lasting)
    }

    /// The files that are whole, by name.
    func runs() throws(Failure) -> [[UInt8]] { try names(ending: Self.kept) }

    func open(_ name: [UInt8]) throws(Failure) -> Descriptor {
        try directory.file(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    func remove(_ name: [UInt8]) throws(Failure) { _ = try directory.remove(name) }

    private func names(ending: [UInt8]) throws(Failure) -> [[UInt8]] {
        try directory.entries().map(\.name).filter {
            $0.count > ending.count && Array($0.suffix(ending.count)) == ending
        }
        .sorted { $0.lexicographicallyPrecedes($1) }
    }
}
