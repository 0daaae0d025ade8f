/// A pattern for one name, in bytes: `*` stands for any run, `?` for any one, `[…]` for one of a class, `\` takes the
/// next as it is.
struct Glob: Sendable {
    private enum Token {
        case byte(UInt8)
        case oneOf(ByteSet)
        case any
        case run
    }

    private var tokens: [Token] = []

    /// Nil for what is no pattern: a class without its end, a `\` with nothing after it, nothing at all.
    init?(_ pattern: ArraySlice<UInt8>) {
        guard !pattern.isEmpty else { return nil }
        var rest = pattern
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"):
                if case .run? = tokens.last { continue }
                tokens.append(.run)
            case UInt8(ascii: "?"): tokens.append(.any)
            case UInt8(ascii: "["):
                guard let members = Self.takeClass(&rest) else { return nil }
                tokens.append(.oneOf(members))
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                tokens.append(.byte(next))
            default: tokens.append(.byte(byte))
            }
        }
    }

    /// Goes back to the last run only: whatever an earlier one could swallow more, the last one can too. So the time is
    /// at most the product of both lengths, whatever the pattern.
    func matches(_ name: [UInt8]) -> Bool {
        var (token, at) = (0, 0)
        var back: (token: Int, at: Int)?
        while at < name.count {
            if token < tokens.count {
                if case .run = tokens[token] {
                    token += 1
                    back = (token, at)
                    continue
                }
                if accepts(tokens[token], name[at]) {
                    (token, at) = (token + 1, at + 1)
                    continue
                }
            }
            guard let last = back else { return false }
            back = (last.token, last.at + 1)
            (token, at) = (last.token, last.at + 1)
        }
        if token < tokens.count, case .run = tokens[token] { token += 1 }
        return token == tokens.count
    }

    private func accepts(_ token: Token, _ byte: UInt8) -> Bool {
        switch token {
        case .byte(let own): own == byte
        case .oneOf(let members): members.contains(byte)
        case .any: true
        case .run: false
        }
    }

    // MARK: - Classes

    /// What stands after `[`, up to its `]`, which counts as a member where it comes first.
    private static func takeClass(_ rest: inout ArraySlice<UInt8>) -> ByteSet? {
        var members = ByteSet()
        var isInverted = false
        if let first = rest.first, first == UInt8(ascii: "!") || first == UInt8(ascii: "^") {
            isInverted = true
            rest.removeFirst()
        }
        var isFirst = true
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "]"), !isFirst {
                if isInverted { members.invert() }
                return members
            }
            isFirst = false
            if byte == UInt8(ascii: "["), rest.first == UInt8(ascii: ":") {
                guard let named = takeName(&rest) else { return nil }
                for member in UInt8.min...UInt8.max where named(member) { members.insert(member) }
                continue
            }
            guard let low = byte == UInt8(ascii: "\\") ? rest.popFirst() : byte else { return nil }
            guard rest.first == UInt8(ascii: "-"), let end = rest.dropFirst().first, end != UInt8(ascii: "]") else {
                members.insert(low)
                continue
            }
            rest.removeFirst(2)
            guard let high = end == UInt8(ascii: "\\") ? rest.popFirst() : end else { return nil }
            if low <= high { for member in low...high { members.insert(member) } }
        }
        return nil
    }

    /// What stands after `[` in `[:alpha:]`.
    private static func takeName(_ rest: inout ArraySlice<UInt8>) -> ((UInt8) -> Bool)? {
        let inner = rest.dropFirst()
        guard let colon = inner.firstIndex(of: UInt8(ascii: ":")), inner[(colon + 1)...].first == UInt8(ascii: "]"),
            let test = classes[String(decoding: inner[..<colon], as: UTF8.self)]
        else { return nil }
        rest = inner[(colon + 2)...]
        return test
    }

    /// Of ASCII, as POSIX has them in the C locale.
    private static let classes: [String: @Sendable (UInt8) -> Bool] = [
        "alnum": { isLower($0) || isUpper($0) || isDigit($0) }, "alpha": { isLower($0) || isUpper($0) },
        "blank": { $0 == 0x20 || $0 == 0x09 }, "cntrl": { $0 < 0x20 || $0 == 0x7F }, "digit": { isDigit($0) },
        "graph": { $0 > 0x20 && $0 < 0x7F }, "lower": { isLower($0) }, "print": { $0 >= 0x20 && $0 < 0x7F },
        "punct": { $0 > 0x20 && $0 < 0x7F && !isLower($0) && !isUpper($0) && !isDigit($0) },
        "space": { $0 == 0x20 || (0x09...0x0D).contains($0) }, "upper": { isUpper($0) },
        "xdigit": { isDigit($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) },
    ]

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }
    private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
