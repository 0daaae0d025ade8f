package import Platform

/// The id of one `Noun`: 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends.
///
/// One spelling serves tables, routes, directories and certificates, so it is what fits a label of a host name; and
/// a label of a desktop cannot be passed where one of a tenant is wanted.
package struct Label<Noun>: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let text: String

    package static var longest: Int { 63 }

    /// - Throws: `.usage`, with the rule.
    package init(_ text: String) throws(Failure) {
        guard Self.isValid(text) else {
            throw Failure(
                .usage, "\"\(text.prefix(80))\" cannot be the id of a \(String(describing: Noun.self).lowercased())",
                advice: "Use 1 to 63 lower-case letters, digits and hyphens")
        }
        self.text = text
    }

    /// `prefix` and 80 random bits: never made twice.
    package static func fresh(_ prefix: String, _ surroundings: Surroundings) throws(Failure) -> Label {
        try Label("\(prefix)-\(Hex.encode(surroundings.random(10)))")
    }

    package init(from decoder: any Decoder) throws { try self.init(decoder.singleValueContainer().decode(String.self)) }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package static func < (left: Label, right: Label) -> Bool { left.text < right.text }
    package var description: String { text }

    private static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...longest).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-")
        else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }
}
