internal import Glibc
internal import ObjectStore
package import Platform
package import Sealing

/// Places kept in a directory of the program's own state, one small file for each vault and place it is reached at. A
/// file that cannot be read is taken for none: the round begins again.
package struct DirectoryCheckMemory: CheckMemory {
    private let path: String
    private static let title = "breakwater check 2"
    private static let longest = 4096

    /// Makes the directory where it lacks, for its owner alone.
    package init(at path: String) throws(Failure) {
        try DirectoryStore.makeRoot(at: path)
        self.path = path
    }

    private func name(_ vault: VaultID, _ location: String) -> String {
        vault.hex + "-" + String(SHA256.hash(Array(location.utf8)).hex.prefix(32))
    }

    package func place(of vault: VaultID, at location: String) throws(Failure) -> CheckPlace? {
        guard
            let bytes = try? Descriptor.open(
                path + "/" + name(vault, location), O_RDONLY | O_NOFOLLOW | O_NONBLOCK
            ).readSome(limit: Self.longest)
        else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 6, lines[0] == Self.title, let round = UInt64(lines[1]), round > 0,
            round < 1 << 62, let read = UInt64(lines[2]), read < 1 << 62, let damaged = UInt64(lines[3]),
            damaged < 1 << 62, lines[5].isEmpty
        else { return nil }
        return CheckPlace(round: round, after: String(lines[4]), bytes: read, damagedRuns: damaged)
    }

    package func keep(_ place: CheckPlace, of vault: VaultID, at location: String) throws(Failure) {
        let directory = try Directory(at: path)
        let name = Array(name(vault, location).utf8)
        let temporary = name + Array(".\(getpid())".utf8)
        // What a killed process of the same number left there.
        _ = try directory.remove(temporary)
        do throws(Failure) {
            let file = try directory.file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            let lines = [
                Self.title, "\(place.round)", "\(place.bytes)", "\(place.damagedRuns)", place.after, "",
            ]
            try file.write(Array(lines.joined(separator: "\n").utf8))
            try file.sync()
            try file.close()
            try directory.replace(name, with: temporary)
            try directory.synchronize()
        } catch {
            _ = try? directory.remove(temporary)
            throw error.during("remembering how far the check of \(location) has come")
        }
    }
}
