internal import Glibc
internal import ObjectStore
package import Platform
package import Sealing

/// Sightings kept in a directory of the program's own state, one small file a vault. A file that cannot be read is taken
/// for none: the sessions are seen anew, and are let go of later.
package struct DirectoryClaimWatch: ClaimWatch {
    private let path: String
    private static let title = "breakwater sessions 1"
    private static let longest = 4 << 20

    /// Makes the directory where it lacks, for its owner alone.
    package init(at path: String) throws(Failure) {
        try DirectoryStore.makeRoot(at: path)
        self.path = path
    }

    package func sightings(in vault: VaultID) throws(Failure) -> [ClaimID: Sighting] {
        guard
            let bytes = try? Descriptor.open(path + "/" + vault.hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
                .readSome(limit: Self.longest)
        else { return [:] }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.first.map(String.init) == Self.title else { return [:] }
        var sightings: [ClaimID: Sighting] = [:]
        for line in lines.dropFirst() {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 4, let claim = ClaimID(hex: words[0]), let objects = UInt64(words[1]),
                let bytes = UInt64(words[2]), let time = Int64(words[3])
            else { return [:] }
            sightings[claim] = Sighting(objects: objects, bytes: bytes, time: Timestamp(nanoseconds: time))
        }
        return sightings
    }

    package func keep(_ sightings: [ClaimID: Sighting], in vault: VaultID) throws(Failure) {
        let lines = sightings.sorted { $0.key < $1.key }.map { claim, seen in
            "\(claim.hex) \(seen.objects) \(seen.bytes) \(seen.time.nanoseconds)"
        }
        let directory = try Directory(at: path)
        let (name, temporary) = (Array(vault.hex.utf8), Array("\(vault.hex).\(getpid())".utf8))
        _ = try directory.remove(temporary)
        let file = try directory.file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        try file.write(Array((([Self.title] + lines).joined(separator: "\n") + "\n").utf8))
        try file.close()
        let folder = directory.number
        let result = unsafe Name.with(temporary) { old in
            unsafe Name.with(name) { new in unsafe renameat(folder, old, folder, new) }
        }
        if result != 0 { throw .system(errno, "cannot replace \(directory.describe(name))") }
    }
}
