package import Platform

/// Reads the XML that S3 answers with, and nothing more of XML: elements, attributes (read over), text, the five named
/// entities and numeric ones. Document types, other entities, CDATA, comments and processing instructions are refused, so
/// that there is nothing to expand, to include or to fetch; depth and lengths are bounded.
package struct XMLScanner {
    private let bytes: [UInt8]
    private var at = 0

    package static let deepest = 16
    package static let longestName = 128
    package static let longestText = 64 << 10

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Calls `body` at the end of each element with the names from the root down to it and the text that stands directly
    /// in it.
    /// - Throws: `.damaged` for what is no such document; what `body` throws.
    package static func scan(
        _ bytes: [UInt8], _ body: (_ path: [String], _ text: String) throws(Failure) -> Void
    ) throws(Failure) {
        var scanner = XMLScanner(bytes)
        try scanner.document(body)
    }

    private mutating func document(_ body: ([String], String) throws(Failure) -> Void) throws(Failure) {
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
        if take("<?xml") {
            guard let end = find("?>", within: 256) else { throw malformed("an XML declaration without an end") }
            at = end + 2
        }
        skipSpace()
        var path: [String] = []
        var texts: [[UInt8]] = []
        repeat {
            guard at < bytes.count else { throw malformed("it ends in the middle") }
            if take("</") {
                let name = try name()
                skipSpace()
                guard take(">"), name == path.last, let text = texts.popLast() else {
                    throw malformed("an element is closed that is not open")
                }
                try body(path, String(decoding: text, as: UTF8.self))
                path.removeLast()
            } else if take("<") {
                let name = try name()
                guard path.count < Self.deepest else { throw malformed("elements lie too deep") }
                path.append(name)
                if try attributes() {
                    try body(path, "")
                    path.removeLast()
                } else {
                    texts.append([])
                }
            } else if texts.isEmpty {
                throw malformed("text outside the root element")
            } else {
                let byte = try character()
                guard texts[texts.count - 1].count + byte.count <= Self.longestText else {
                    throw malformed("a text is too long")
                }
                texts[texts.count - 1] += byte
            }
        } while !path.isEmpty
        skipSpace()
        guard at == bytes.count else { throw malformed("something follows the root element") }
    }

    /// The rest of a start tag.
    /// - Returns: whether the element ends with it.
    private mutating func attributes() throws(Failure) -> Bool {
        while true {
            skipSpace()
            if take("/>") { return true }
            if take(">") { return false }
            _ = try name()
            skipSpace()
            guard take("=") else { throw malformed("an attribute without a value") }
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'") else {
                throw malformed("an attribute without quotes")
            }
            let quote = bytes[at]
            at += 1
            let start = at
            while at < bytes.count, bytes[at] != quote {
                guard bytes[at] != UInt8(ascii: "<"), at - start < Self.longestText else {
                    throw malformed("an attribute that is none")
                }
                at += 1
            }
            guard at < bytes.count else { throw malformed("it ends in the middle") }
            at += 1
        }
    }

    private mutating func name() throws(Failure) -> String {
        let start = at
        while at < bytes.count, Self.isNameByte(bytes[at]) { at += 1 }
        guard at > start, at - start <= Self.longestName else { throw malformed("a name that is none") }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    /// One byte of text, or what an entity stands for.
    private mutating func character() throws(Failure) -> [UInt8] {
        guard bytes[at] == UInt8(ascii: "&") else {
            at += 1
            return [bytes[at - 1]]
        }
        guard let end = find(";", within: 12) else { throw malformed("an entity without an end") }
        let entity = String(decoding: bytes[(at + 1)..<end], as: UTF8.self)
        at = end + 1
        switch entity {
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "amp": return [UInt8(ascii: "&")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default: break
        }
        let number =
            entity.hasPrefix("#x")
            ? UInt32(entity.dropFirst(2), radix: 16)
            : entity.hasPrefix("#") ? UInt32(entity.dropFirst(), radix: 10) : nil
        guard let number, number > 0, let scalar = Unicode.Scalar(number) else {
            throw malformed("an entity that is none of XML's own")
        }
        return Array(String(scalar).utf8)
    }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    }

    /// Steps over `text` if it comes next.
    private mutating func take(_ text: StaticString) -> Bool {
        let wanted = "\(text)".utf8
        guard bytes[at...].starts(with: wanted) else { return false }
        at += wanted.count
        return true
    }

    private func find(_ text: String, within limit: Int) -> Int? {
        let wanted = Array(text.utf8)
        var place = at
        while place + wanted.count <= bytes.count, place - at <= limit {
            if bytes[place..<(place + wanted.count)].elementsEqual(wanted) { return place }
            place += 1
        }
        return nil
    }

    private func malformed(_ what: String) -> Failure { Failure(.damaged, "an answer is not the XML of S3: \(what)") }
}
