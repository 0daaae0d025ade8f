internal import Glibc
internal import ObjectStore
package import Platform
package import Sealing
internal import Synchronization

/// Heads kept in a directory of the program's own state: one small file for each vault and place.
///
/// A vault that moves to another place, or a copy of it in another place, is remembered by itself: it may rightly be an
/// older one, so that what was seen elsewhere is for a warning only (`newestSeen`). A file is replaced
/// whole and made durable before the call returns. Two programs that remember at once leave the head of one of them:
/// both were seen, and the log goes on from either.
package struct DirectoryHeadMemory: HeadMemory {
    private let path: String
    private static let title = "breakwater head 1"
    private static let sequence = Atomic<UInt64>(0)

    /// Makes the directory where it lacks, for its owner alone.
    package init(at path: String) throws(Failure) {
        try DirectoryStore.makeRoot(at: path)
        self.path = path
    }

    private func name(_ vault: VaultID, _ location: String) -> String {
        vault.hex + "-" + String(SHA256.hash(Array(location.utf8)).hex.prefix(32))
    }

    // MARK: - Reading

    package func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? {
        try read(name(vault, location), vault, "the last head seen of the vault in \(location)")
    }

    /// Files that cannot be read are passed over: whoever opens the vault at their place is told of them.
    package func newestSeen(_ vault: VaultID) throws(Failure) -> LogHead? {
        let prefix = vault.hex + "-"
        var newest: LogHead?
        for entry in try Directory(at: path).entries() {
            let name = String(decoding: entry.name, as: UTF8.self)
            guard name.hasPrefix(prefix), !name.contains("."), let head = try? read(name, vault, "") else { continue }
            if newest.map({ $0.number < head.number }) ?? true { newest = head }
        }
        return newest
    }

    private func read(_ name: String, _ vault: VaultID, _ title: String) throws(Failure) -> LogHead? {
        let file = path + "/" + name
        let bytes: [UInt8]
        do throws(Failure) {
            bytes = try Descriptor.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).readSome(limit: 1 << 20)
        } catch  where error.code == .notFound { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let accepted = lines.dropFirst(4).dropLast().map { Digest(hex: String($0)) }
        guard lines.count >= 5, lines[0] == Self.title, lines[1] == vault.hex, let number = UInt64(lines[2]),
            let hash = Digest(hex: String(lines[3])), !accepted.contains(nil), lines.last?.isEmpty == true
        else {
            throw Failure(
                .damaged, "\(file), \(title), cannot be read",
                advice: "The vault was not touched. Remove that file to have the vault's log taken as it is now.")
        }
        return LogHead(number: number, hash: hash, accepted: Set(accepted.compactMap { $0 }))
    }

    // MARK: - Writing

    package func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {
        if let known = try? lastSeen(vault, at: location), known == head { return }
        let accepted = head.accepted.sorted().map(\.hex)
        let lines = [Self.title, vault.hex, String(head.number), head.hash.hex] + accepted + [""]
        let directory = try Directory(at: path)
        let name = Array(name(vault, location).utf8)
        let number = Self.sequence.wrappingAdd(1, ordering: .relaxed).newValue
        let temporary = name + Array(".\(getpid())-\(number)".utf8)
        // What a killed process of the same number left there.
        _ = try directory.remove(temporary)
        do throws(Failure) {
            let file = try directory.file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try file.write(Array(lines.joined(separator: "\n").utf8))
            try file.sync()
            try file.close()
            let folder = directory.number
            let result = unsafe Name.with(temporary) { old in
                unsafe Name.with(name) { new in unsafe renameat(folder, old, folder, new) }
            }
            if result != 0 { throw .system(errno, "cannot replace \(directory.describe(name))") }
            try directory.synchronize()
        } catch {
            _ = try? directory.remove(temporary)
            throw error.during("remembering the head of the log in \(location)")
        }
    }
}
