import Repository

/// Records of an extended header (POSIX.1-2017, pax, "pax Extended Header"): what the fixed header has no room for.
struct PaxRecords {
    private(set) var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }

    /// `length key=value\n`, where the length counts its own digits.
    mutating func add(_ key: [UInt8], _ value: [UInt8]) {
        let rest = 1 + key.count + 1 + value.count + 1
        var length = rest + 1
        while String(length).utf8.count + rest != length { length = String(length).utf8.count + rest }
        bytes += Array(String(length).utf8)
        bytes.append(UInt8(ascii: " "))
        bytes += key
        bytes.append(UInt8(ascii: "="))
        bytes += value
        bytes.append(UInt8(ascii: "\n"))
    }

    mutating func add(_ key: String, _ value: [UInt8]) { add(Array(key.utf8), value) }
    mutating func add(_ key: String, _ value: String) { add(key, Array(value.utf8)) }

    /// Seconds since 1970 with nine decimals, where there are any.
    mutating func add(_ key: String, _ time: TreeEntry.Time) {
        guard time.nanoseconds > 0 else { return add(key, String(time.seconds)) }
        var (seconds, nanoseconds) = (time.seconds.magnitude, time.nanoseconds)
        if time.seconds < 0 {
            // Before 1970 the decimals count away from zero, as the sign says.
            seconds -= 1
            nanoseconds = 1_000_000_000 - nanoseconds
        }
        let digits = String(nanoseconds)
        let decimals = String(repeating: "0", count: 9 - digits.count) + digits
        add(key, "\(time.seconds < 0 ? "-" : "")\(seconds).\(decimals)")
    }

    /// As GNU tar and libarchive write extended attributes. The key ends at the first `=`, which a name may hold:
    /// GNU tar's escapes are used.
    mutating func add(_ attribute: TreeEntry.ExtendedAttribute) {
        var key = Array("SCHILY.xattr.".utf8)
        for byte in attribute.name {
            switch byte {
            case UInt8(ascii: "%"): key += Array("%25".utf8)
            case UInt8(ascii: "="): key += Array("%3D".utf8)
            default: key.append(byte)
            }
        }
        add(key, attribute.value)
    }
}
