package import Platform

/// A pattern of a shell for one name: `*` stands for anything, `?` for one character, `[a-z]` and `[!a-z]` for one of
/// a set, a backslash for the next character itself. Characters are those of UTF-8; a byte that is no text counts as
/// one. A leading dot is not special.
package struct Glob: Sendable {
    private enum Part: Sendable {
        case one(UInt32)
        case any
        case many
        case set([ClosedRange<UInt32>], isNegated: Bool)

        func takes(_ unit: UInt32) -> Bool {
            switch self {
            case .one(let own): own == unit
            case .any: true
            case .many: false
            case .set(let ranges, let isNegated): ranges.contains { $0.contains(unit) } != isNegated
            }
        }
    }

    private let parts: [Part]

    /// - Throws: `.usage` for a pattern that no name can match.
    package init(_ pattern: [UInt8]) throws(Failure) {
        guard !pattern.isEmpty else { throw Failure(.usage, "the pattern is empty") }
        guard !pattern.contains(UInt8(ascii: "/")) else {
            throw Failure(
                .usage, "the pattern holds a slash, and names do not",
                advice: "A pattern stands for a name, wherever it lies; `*` finds everything")
        }
        let units = Self.units(pattern)
        var parts: [Part] = []
        var at = 0
        while at < units.count {
            let unit = units[at]
            at += 1
            switch unit {
            case Self.star:
                if case .many? = parts.last { continue }
                parts.append(.many)
            case Self.question: parts.append(.any)
            case Self.backslash where at < units.count:
                parts.append(.one(units[at]))
                at += 1
            case Self.opening:
                if let (set, end) = Self.set(units, from: at) {
                    parts.append(set)
                    at = end
                } else {
                    parts.append(.one(unit))
                }
            default: parts.append(.one(unit))
            }
        }
        self.parts = parts
    }

    /// Takes time in proportion to the name times the pattern, whatever both are.
    package func matches(_ name: [UInt8]) -> Bool {
        let units = Self.units(name)
        var (at, part) = (0, 0)
        // Where the last star stands, and up to where it has taken.
        var star: (part: Int, at: Int)?
        while at < units.count {
            if part < parts.count, case .many = parts[part] {
                star = (part, at)
                part += 1
            } else if part < parts.count, parts[part].takes(units[at]) {
                at += 1
                part += 1
            } else if let last = star {
                star = (last.part, last.at + 1)
                (at, part) = (last.at + 1, last.part + 1)
            } else {
                return false
            }
        }
        return parts[part...].allSatisfy { if case .many = $0 { true } else { false } }
    }

    private static let star = UInt32(UInt8(ascii: "*")), question = UInt32(UInt8(ascii: "?"))
    private static let backslash = UInt32(UInt8(ascii: "\\")), opening = UInt32(UInt8(ascii: "["))
    private static let closing = UInt32(UInt8(ascii: "]")), dash = UInt32(UInt8(ascii: "-"))
    private static let negations = [UInt32(UInt8(ascii: "!")), UInt32(UInt8(ascii: "^"))]

    /// The set that begins behind a bracket, and what follows it; nil when the bracket is never closed.
    private static func set(_ units: [UInt32], from start: Int) -> (Part, end: Int)? {
        var at = start
        let isNegated = at < units.count && negations.contains(units[at])
        if isNegated { at += 1 }
        var ranges: [ClosedRange<UInt32>] = []
        let first = at
        while at < units.count {
            if units[at] == closing, at > first { return (.set(ranges, isNegated: isNegated), at + 1) }
            if units[at] == backslash, at + 1 < units.count { at += 1 }
            let low = units[at]
            at += 1
            guard at + 1 < units.count, units[at] == dash, units[at + 1] != closing else {
                ranges.append(low...low)
                continue
            }
            let high = units[at + 1]
            if low <= high { ranges.append(low...high) }
            at += 2
        }
        return nil
    }

    /// Scalars of UTF-8; a byte that belongs to none as a number that no scalar has.
    private static func units(_ bytes: [UInt8]) -> [UInt32] {
        if bytes.allSatisfy({ $0 < 0x80 }) { return bytes.map(UInt32.init) }
        var units: [UInt32] = []
        var at = 0
        while at < bytes.count {
            let rest = bytes[at..<min(at + 4, bytes.count)]
            var decoder = UTF8()
            var source = rest.makeIterator()
            if case .scalarValue(let scalar) = decoder.decode(&source) {
                units.append(scalar.value)
                at += UTF8.width(scalar)
            } else {
                units.append(0xDC00 + UInt32(bytes[at]))
                at += 1
            }
        }
        return units
    }
}
