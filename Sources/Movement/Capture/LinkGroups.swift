import Platform
import Repository

/// The files with several names of one capture: read once, and given a number that their names share.
struct LinkGroups {
    private struct Key: Hashable {
        var fileSystem: UInt64
        var inode: UInt64
    }

    private struct Group {
        var number: UInt64
        /// Names that may still come.
        var left: UInt64
        var stored: (status: FileStatus, entry: TreeEntry)?
    }

    private var groups: [Key: Group] = [:]
    private var numbers: Set<UInt64> = []

    /// 0 for a file with one name. The inode's number serves, so that an unchanged tree gives unchanged bytes, unless
    /// another file system of this capture has used it.
    mutating func number(_ status: FileStatus) -> UInt64 {
        guard status.links > 1, status.kind != .directory else { return 0 }
        let key = Key(fileSystem: status.fileSystem, inode: status.inode)
        if let group = groups[key] { return group.number }
        var number = max(1, status.inode)
        while !numbers.insert(number).inserted { number &+= 1 << 40 | 1 }
        groups[key] = Group(number: number, left: status.links, stored: nil)
        return number
    }

    /// What was stored under an earlier name, if the file is still what it was then.
    mutating func stored(_ status: FileStatus) -> TreeEntry? {
        let key = Key(fileSystem: status.fileSystem, inode: status.inode)
        guard let group = groups[key], let stored = group.stored,
            FileIdentity(stored.status) == FileIdentity(status)
        else { return nil }
        count(key)
        return stored.entry
    }

    mutating func keep(_ status: FileStatus, _ entry: TreeEntry) {
        guard entry.link != 0 else { return }
        let key = Key(fileSystem: status.fileSystem, inode: status.inode)
        groups[key]?.stored = (status, entry)
        count(key)
    }

    /// A group all of whose names were met need not be held any longer than its number.
    private mutating func count(_ key: Key) {
        guard var group = groups[key] else { return }
        group.left -= min(1, group.left)
        if group.left == 0 { group.stored = nil }
        groups[key] = group
    }
}
