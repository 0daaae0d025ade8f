import ObjectStore
import Platform
import Repository

/// What may lie in a directory before a repository is made in it.
enum VaultFolder {
    /// A vault's own folders: an `init` that was cut short may have left them, and `Repository.create` looks into them.
    private static let own: Set<[UInt8]> = Set(
        (["tmp", StoreProbe.folder, "log", "origins"] + ObjectKind.allCases.map(\.folder)).map { Array($0.utf8) })
    /// What a new file system brings with it.
    private static let tolerated: Set<[UInt8]> = [Array("lost+found".utf8)]

    /// - Returns: whether it is empty.
    /// - Throws: `.refused` when the directory holds anything that is none of a vault's: a repository would hide among
    ///   it, and whoever cleans up the one would lose the other.
    static func requireVacant(_ path: String) throws(Failure) -> Bool {
        let entries = try Directory(at: path).sortedEntries()
        let strangers = entries.filter { entry in
            let isOwn = own.contains(entry.name) && [.directory, .unknown].contains(entry.kind)
            return !isOwn && !tolerated.contains(entry.name)
        }
        guard let first = strangers.first else { return entries.isEmpty }
        let others = strangers.count > 1 ? " and \(Words.count(UInt64(strangers.count - 1), "other", "others"))" : ""
        throw Failure(
            .refused, "\(path) is not empty: it holds \(String(decoding: first.name, as: UTF8.self))\(others)",
            advice: "Nothing was changed. Name an empty directory, or one that does not exist yet.")
    }
}
