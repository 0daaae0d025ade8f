/// Access control lists as text, which is how tar's `--acls` wants them.
enum AccessListText {
    /// The text of a list as the kernel stores it (linux/posix_acl_xattr.h, version 2); nil for what is none.
    static func text(_ value: [UInt8]) -> String? {
        guard value.count >= 4, (value.count - 4) % 8 == 0, Array(value[0..<4]) == [2, 0, 0, 0] else { return nil }
        var lines: [String] = []
        for at in stride(from: 4, to: value.count, by: 8) {
            let tag = UInt16(value[at]) | UInt16(value[at + 1]) << 8
            let permissions = UInt16(value[at + 2]) | UInt16(value[at + 3]) << 8
            let id = (0..<4).reduce(UInt32(0)) { $0 | UInt32(value[at + 4 + $1]) << (8 * UInt32($1)) }
            guard permissions <= 7, let who = who(tag, id) else { return nil }
            let letters = zip("rwx", [4, 2, 1]).map { permissions & $1 != 0 ? String($0) : "-" }.joined()
            lines.append("\(who):\(letters)")
        }
        return lines.isEmpty ? nil : lines.joined(separator: ",")
    }

    private static func who(_ tag: UInt16, _ id: UInt32) -> String? {
        switch tag {
        case 0x01: "user:"
        case 0x02: "user:\(id)"
        case 0x04: "group:"
        case 0x08: "group:\(id)"
        case 0x10: "mask:"
        case 0x20: "other:"
        default: nil
        }
    }
}
