/// Finds the directories of a restore that only lead to what was backed up: `/home` and `/home/user` of
/// `/home/user/documents`. They hold directories and nothing else, and so does every directory above them.
///
/// They are somebody else's as a rule (`/home` belongs to root), and whoever restores without being root cannot give
/// them back to that owner; nothing of what was backed up is wrong for it.
///
/// It is told of a tree in the order of a walk, and remembers of what the walk has left only what may still be one.
package struct LeadingDirectories: Sendable {
    /// A directory in which the walk is.
    private struct Open {
        var path: [UInt8]
        var holdsDirectories = false
        var holdsOthers = false
        /// Below it, unless it holds something else.
        var leading: [[UInt8]] = []
    }

    /// Each within the one before; the root is the first.
    private var open = [Open(path: [])]

    package init() {}

    /// An entry was met in the directory `parent` (a path below the root, empty for the root).
    package mutating func meet(in parent: [UInt8], isDirectory: Bool) {
        while let last = open.last, last.path != parent, !last.path.isEmpty,
            !parent.starts(with: last.path + [UInt8(ascii: "/")])
        { leave() }
        if open[open.count - 1].path != parent { open.append(Open(path: parent)) }
        if isDirectory {
            open[open.count - 1].holdsDirectories = true
        } else if !open[open.count - 1].holdsOthers {
            open[open.count - 1].holdsOthers = true
            open[open.count - 1].leading = []
        }
    }

    private mutating func leave() {
        let left = open.removeLast()
        guard !left.holdsOthers, !open[open.count - 1].holdsOthers else { return }
        open[open.count - 1].leading += left.leading + (left.holdsDirectories ? [left.path] : [])
    }

    /// All of them, once the walk has ended.
    package consuming func found() -> Set<[UInt8]> {
        while open.count > 1 { leave() }
        return Set(open[0].leading)
    }
}
