import Platform

/// A file of the AWS tools: sections of `name = value` lines; lines that are indented belong to the name above them.
struct ProfileFile {
    /// By section, then by name; a name below another is `outer.inner`. Names of settings in lower case.
    private var sections: [String: [String: String]] = [:]

    static let longest = 1 << 20

    /// Lines that are none of these are passed over, as the AWS tools do with much of what they find there.
    init(_ bytes: [UInt8]) {
        var section: String?
        var outer = ""
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let isIndented = line.first?.isWhitespace ?? false
            let text = Self.trimmed(line)
            if text.isEmpty || text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("[") {
                guard let end = text.firstIndex(of: "]") else { continue }
                section = Self.trimmed(text[text.index(after: text.startIndex)..<end])
                    .split(whereSeparator: \.isWhitespace).joined(separator: " ")
                outer = ""
                continue
            }
            guard let section, let equals = text.firstIndex(of: "=") else { continue }
            let name = Self.trimmed(text[..<equals]).lowercased()
            let value = Self.trimmed(text[text.index(after: equals)...])
            if isIndented, !outer.isEmpty {
                sections[section, default: [:]]["\(outer).\(name)"] = value
            } else {
                outer = value.isEmpty ? name : ""
                sections[section, default: [:]][name] = value
            }
        }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let kept = text.drop(while: \.isWhitespace)
        return String(kept.prefix(kept.count - kept.reversed().prefix(while: \.isWhitespace).count))
    }

    /// The settings of a profile, empty when there is none. In `config` all but the default are `[profile NAME]`.
    func profile(_ name: String) -> [String: String] {
        (sections[name] ?? [:]).merging(sections["profile \(name)"] ?? [:]) { $1 }
    }

    func has(_ name: String) -> Bool { sections[name] != nil || sections["profile \(name)"] != nil }
}
