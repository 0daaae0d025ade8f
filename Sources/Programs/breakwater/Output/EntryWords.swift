import Platform
import Repository

/// An entry of a tree as it is printed.
enum EntryWords {
    /// As an object of JSON.
    static func members(_ entry: TreeEntry, _ path: [UInt8]) -> [(String, JSON)] {
        var members = JSON.members("path", path)
        members += [
            ("kind", .text(entry.kind.word)), ("size", .number(entry.size)),
            ("mode", .text(String(entry.mode, radix: 8))),
            ("owner", .number(UInt64(entry.owner))), ("group", .number(UInt64(entry.group))),
            ("modified", .text(Words.time(seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds))),
        ]
        if entry.kind == .symbolicLink { members += JSON.members("target", entry.target) }
        if entry.link != 0 { members.append(("link", .number(entry.link))) }
        if entry.changedWhileRead { members.append(("changedWhileRead", true)) }
        return members
    }

    /// As `ls` shows it.
    static func line(_ entry: TreeEntry, _ path: [UInt8]) -> String {
        let size = String(entry.size)
        let owner = "\(entry.owner):\(entry.group)"
        var line = entry.modeText + " " + owner + String(repeating: " ", count: max(1, 11 - owner.count))
        line += String(repeating: " ", count: max(0, 12 - size.count)) + size + "  "
        line += Words.localTime(Timestamp(seconds: entry.modified.seconds)) + "  "
        line += Words.visible(String(decoding: path, as: UTF8.self))
        if entry.kind == .symbolicLink { line += " -> " + Words.visible(String(decoding: entry.target, as: UTF8.self)) }
        return line
    }
}

extension TreeEntry {
    /// As `ls` shows it: `-rwxr-sr-t`.
    fileprivate var modeText: String {
        let first =
            switch kind {
            case .file: "-"
            case .directory: "d"
            case .symbolicLink: "l"
            case .fifo: "p"
            case .socket: "s"
            case .blockDevice: "b"
            case .characterDevice: "c"
            }
        var text = first
        for (shift, special, letter) in [(6, UInt32(0o4000), "s"), (3, 0o2000, "s"), (0, 0o1000, "t")] {
            let bits = mode >> UInt32(shift) & 7
            text += bits & 4 != 0 ? "r" : "-"
            text += bits & 2 != 0 ? "w" : "-"
            let runs = bits & 1 != 0
            text += mode & special != 0 ? (runs ? letter : letter.uppercased()) : (runs ? "x" : "-")
        }
        return text
    }
}
