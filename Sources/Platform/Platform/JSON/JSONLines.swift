internal import Glibc
package import Logging

/// A log as lines of JSON on one descriptor: time, level, label, message and metadata, each line one write.
///
/// Control characters are escaped, so that what a guest or a caller sends cannot forge a line. Whoever logs leaves
/// secrets out; nothing here could tell them apart.
package struct JSONLines: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let label: String
    private let descriptor: Int32
    private let now: @Sendable () -> Timestamp

    /// Longer values are cut.
    private static let longest = 4096

    package init(label: String, level: Logger.Level, descriptor: Int32 = 2, now: @escaping @Sendable () -> Timestamp) {
        self.label = label
        logLevel = level
        self.descriptor = descriptor
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line = "{\"time\":\"\(now().utc)\",\"level\":\"\(event.level.rawValue)\",\"label\":"
        Self.quote(label, into: &line)
        line += ",\"message\":"
        Self.quote(event.message.description, into: &line)
        var all = metadata
        if let more = event.metadata { all.merge(more) { $1 } }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            line += ","
            Self.quote(["time", "level", "label", "message"].contains(key) ? "\(key)_" : key, into: &line)
            line += ":"
            Self.quote(value.description, into: &line)
        }
        line += "}\n"
        let bytes = Array(line.utf8)
        // A log that cannot be written stops nothing.
        _ = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
    }

    private static func quote(_ text: String, into line: inout String) {
        line += "\""
        for scalar in text.unicodeScalars.prefix(longest) {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case let scalar where scalar.value < 0x20 || scalar.value == 0x7F:
                line += "\\u00" + Hex.encode([UInt8(scalar.value)])
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }
}

extension Timestamp {
    /// RFC 3339, in UTC, to the millisecond: `2026-11-21T02:08:11.123Z`.
    package var utc: String {
        var (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if rest < 0 { (seconds, rest) = (seconds - 1, rest + 1_000_000_000) }
        var (days, second) = seconds.quotientAndRemainder(dividingBy: 86400)
        if second < 0 { (days, second) = (days - 1, second + 86400) }
        // Years begin in March, so that the leap day is the last: H. Hinnant, "chrono-compatible low-level date
        // algorithms", civil_from_days. 719468 days lie between 0000-03-01 and 1970-01-01, 146097 in 400 years.
        let day = days + 719_468
        let era = day / 146_097
        let dayOfEra = day - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(dayOfYear - (153 * shifted + 2) / 5 + 1, 2))"
            + "T\(digits(second / 3600, 2)):\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2))"
            + ".\(digits(rest / 1_000_000, 3))Z"
    }
}
