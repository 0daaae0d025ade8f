internal import Platform

/// RFC 3986 as Signature Version 4 wants it: everything but the unreserved characters is `%XX`, in upper case.
enum PercentEncoding {
    static func encode(_ text: some Sequence<UInt8>, keeping kept: UInt8? = nil) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text {
            if isUnreserved(byte) || byte == kept {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func encode(path: String) -> String { encode(path.utf8, keeping: UInt8(ascii: "/")) }

    /// A key as a listing names it.
    /// - Throws: `.damaged`.
    static func listed(_ key: [UInt8], isEncoded: Bool) throws(Failure) -> [UInt8] {
        guard isEncoded else { return key }
        guard let decoded = decode(key) else {
            throw Failure(.damaged, "a listing names an object by a key that cannot be decoded")
        }
        return decoded
    }

    /// Nil where a percent sign has no two digits after it.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var at = 0
        while at < text.count {
            if text[at] != UInt8(ascii: "%") {
                out.append(text[at])
                at += 1
                continue
            }
            guard at + 2 < text.count, let high = digit(text[at + 1]), let low = digit(text[at + 2]) else { return nil }
            out.append(high << 4 | low)
            at += 3
        }
        return out
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
