/// RFC 8259 to the letter, for bytes that a hostile guest agent, a broken monitor or anybody may have written: nesting is
/// bounded, so the stack is; text must be UTF-8; nothing may follow the value.
package struct JSONParser {
    package static let deepest = 64

    private let bytes: ArraySlice<UInt8>
    private var place: Int

    package static func parse(_ bytes: some Sequence<UInt8>) throws(Failure) -> JSONValue {
        var parser = JSONParser(Array(bytes)[...])
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        if parser.peek != nil { throw parser.wrong("something after the value") }
        return value
    }

    /// Gives the elements of an array one after another, and holds one of them at a time.
    package static func forEachElement(
        of bytes: [UInt8], _ body: (JSONValue) throws(Failure) -> Void
    ) throws(Failure) {
        var parser = JSONParser(bytes[...])
        parser.skipSpace()
        guard parser.peek == UInt8(ascii: "[") else { throw parser.wrong("no array") }
        try parser.forEachElement(depth: 0, body)
        parser.skipSpace()
        if parser.peek != nil { throw parser.wrong("something after the array") }
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        place = bytes.startIndex
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        if depth > Self.deepest { throw wrong("nesting deeper than \(Self.deepest)") }
        skipSpace()
        guard let byte = peek else { throw wrong("no value") }
        switch byte {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw wrong("no JSON")
        }
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        var members: [String: JSONValue] = [:]
        place += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw wrong("a member without a name") }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw wrong("a member without a colon") }
            // RFC 8259 leaves open which of two would count.
            guard members.updateValue(try value(depth: depth + 1), forKey: name) == nil else {
                throw wrong("two members of one name")
            }
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw wrong("members without a comma") }
        }
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        var values: [JSONValue] = []
        try forEachElement(depth: depth) { values.append($0) }
        return .array(values)
    }

    private mutating func forEachElement(
        depth: Int, _ body: (JSONValue) throws(Failure) -> Void
    ) throws(Failure) {
        place += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return }
        while true {
            try body(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return }
            guard take(UInt8(ascii: ",")) else { throw wrong("values without a comma") }
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(Failure) -> JSONValue {
        guard bytes[place...].starts(with: word.utf8) else { throw wrong("no JSON") }
        place += word.utf8.count
        return value
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = place
        var integral = true
        _ = take(UInt8(ascii: "-"))
        let leading = place
        guard digits() > 0 else { throw wrong("a number without digits") }
        if bytes[leading] == UInt8(ascii: "0") && place - leading > 1 { throw wrong("a number with a leading zero") }
        if take(UInt8(ascii: ".")) {
            integral = false
            guard digits() > 0 else { throw wrong("a number without digits") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            integral = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits() > 0 else { throw wrong("a number without digits") }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if integral, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw wrong("a number too large") }
        return .number(value)
    }

    private mutating func digits() -> Int {
        let start = place
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { place += 1 }
        return place - start
    }

    // MARK: - Strings

    private mutating func string() throws(Failure) -> String {
        place += 1
        var text: [UInt8] = []
        while let byte = peek {
            place += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw wrong("text that is no UTF-8") }
                return string
            case UInt8(ascii: "\\"): try escape(to: &text)
            case 0x00..<0x20: throw wrong("a control character in a string")
            default: text.append(byte)
            }
        }
        throw wrong("a string without an end")
    }

    private mutating func escape(to text: inout [UInt8]) throws(Failure) {
        guard let byte = peek else { throw wrong("a string without an end") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try unit())
            if (0xD800..<0xDC00).contains(code), bytes[place...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
                place += 2
                let low = UInt32(try unit())
                guard (0xDC00..<0xE000).contains(low) else { throw wrong("half a character") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw wrong("half a character") }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw wrong("an unknown escape")
        }
    }

    private mutating func unit() throws(Failure) -> UInt16 {
        guard bytes.endIndex - place >= 4 else { throw wrong("a string without an end") }
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[place])).hexDigitValue else {
                throw wrong("an unknown escape")
            }
            value = value << 4 | UInt16(digit)
            place += 1
        }
        return value
    }

    // MARK: - Bytes

    private var peek: UInt8? { place < bytes.endIndex ? bytes[place] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        if peek != byte { return false }
        place += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { place += 1 }
    }

    private func wrong(_ what: String) -> Failure {
        Failure(.damaged, "JSON with \(what) at byte \(place - bytes.startIndex)")
    }
}
