import Platform

/// JSON as this program prints it (RFC 8259): members in the order in which they are given, on one line.
enum JSON: Sendable {
    case flag(Bool)
    case number(UInt64)
    case signed(Int64)
    /// To three places.
    case fraction(Double)
    case text(String)
    case list([JSON])
    case object([(String, JSON)])

    func append(to out: inout [UInt8]) {
        switch self {
        case .flag(let value): out += Array((value ? "true" : "false").utf8)
        case .number(let value): out += Array(String(value).utf8)
        case .signed(let value): out += Array(String(value).utf8)
        case .fraction(let value): out += Array(Self.decimal(value).utf8)
        case .text(let value): Self.append(value, to: &out)
        case .list(let items):
            out.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                item.append(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                Self.append(member.0, to: &out)
                out.append(UInt8(ascii: ":"))
                member.1.append(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// A path, as text; where its bytes are none, the text stands for them, and `<name>Bytes` is they, in hexadecimal.
    static func members(_ name: String, _ path: [UInt8]) -> [(String, JSON)] {
        let text = String(decoding: path, as: UTF8.self)
        let bytes: [(String, JSON)] = Array(text.utf8) == path ? [] : [(name + "Bytes", .text(Hex.encode(path)))]
        return [(name, .text(text))] + bytes
    }

    private static func decimal(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "0" }
        let thousandths = Int64((value * 1000).rounded())
        let (whole, part) = (abs(thousandths) / 1000, abs(thousandths) % 1000)
        let digits = String(part + 1000).dropFirst()
        return "\(thousandths < 0 ? "-" : "")\(whole).\(digits)"
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): out += Array("\\n".utf8)
            case 0..<0x20, 0x7F: out += Array("\\u00\(Hex.encode([byte]))".utf8)
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .flag(value) }
}
