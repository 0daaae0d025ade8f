/// Finds the directories of a restore that only lead to what was backed up: `/home` and `/home/user` of
/// `/home/user/documents`. They hold directories and nothing else, and so does every directory above them.
///
/// They are somebody else's as a rule (`/home` belongs to root), and whoever restores without being root cannot give
/// them back to that owner; nothing of what was backed up is wrong for it.
package struct LeadingDirectories: Sendable {
    private var holdOthers: Set<[UInt8]> = []
    private var holdDirectories: Set<[UInt8]> = []
    private var last: [UInt8]?

    package init() {}

    /// An entry was met in the directory `parent` (a path below the root, empty for the root).
    package mutating func meet(in parent: [UInt8], isDirectory: Bool) {
        if isDirectory {
            holdDirectories.insert(parent)
        } else if last != parent {
            holdOthers.insert(parent)
            last = parent
        }
    }

    package func contains(_ path: [UInt8]) -> Bool {
        guard holdDirectories.contains(path) else { return false }
        var at = path[...]
        while true {
            if holdOthers.contains(Array(at)) { return false }
            guard let slash = at.lastIndex(of: UInt8(ascii: "/")) else { return !holdOthers.contains([]) }
            at = at[..<slash]
        }
    }
}
