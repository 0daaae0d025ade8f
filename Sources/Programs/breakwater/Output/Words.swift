import Glibc
import Platform

/// Amounts, times and names as people read them.
enum Words {
    /// Bytes in binary units: `1.5 GiB`.
    static func bytes(_ count: UInt64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        if count < 1024 { return "\(count) B" }
        var value = Double(count) / 1024
        var unit = 0
        while value >= 1023.95, unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        let tenths = UInt64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    /// `3:07`, or `1:00:00`.
    static func duration(seconds: UInt64) -> String {
        func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
    }

    /// RFC 3339 in UTC, with as many decimals as there are.
    static func time(seconds: Int64, nanoseconds: UInt32 = 0) -> String {
        guard let parts = unsafe broken(seconds, by: gmtime_r) else { return "?" }
        func digits(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        var text = digits(parts.year, 4) + "-\(digits(parts.month, 2))-\(digits(parts.day, 2))"
        text += "T\(digits(parts.hour, 2)):\(digits(parts.minute, 2)):\(digits(parts.second, 2))"
        if nanoseconds > 0 {
            var decimals = digits(Int(nanoseconds), 9)
            while decimals.hasSuffix("0") { decimals.removeLast() }
            text += ".\(decimals)"
        }
        return text + "Z"
    }

    static func time(_ stamp: Timestamp) -> String {
        let (seconds, rest) = stamp.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0
            ? time(seconds: seconds - 1, nanoseconds: UInt32(rest + 1_000_000_000))
            : time(seconds: seconds, nanoseconds: UInt32(rest))
    }

    /// In the reader's own time zone, to the minute.
    static func localTime(_ stamp: Timestamp) -> String {
        guard let parts = unsafe broken(stamp.nanoseconds / 1_000_000_000, by: localtime_r) else { return time(stamp) }
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.year)-\(two(parts.month))-\(two(parts.day)) \(two(parts.hour)):\(two(parts.minute))"
    }

    private struct Parts {
        var year, month, day, hour, minute, second: Int
    }

    private static func broken(
        _ seconds: Int64, by call: (UnsafePointer<time_t>, UnsafeMutablePointer<tm>) -> UnsafeMutablePointer<tm>?
    ) -> Parts? {
        var parts = unsafe tm()
        var number = time_t(seconds)
        guard unsafe call(&number, &parts) != nil else { return nil }
        return unsafe Parts(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
            hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec))
    }

    /// Names come from outside: what could drive a terminal is shown, not sent.
    static func visible(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnseen) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            if isUnseen(scalar) {
                out += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// Control characters, and those that turn the direction of writing.
    private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    static func count(_ number: some BinaryInteger, _ one: String, _ many: String) -> String {
        number.counted(one, many)
    }
}
