/// 32 bytes, held inline: a SHA-256 value, an id, a root. Ordered bytewise.
package struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Big-endian words, so that comparing words compares bytes.
    package let words: (UInt64, UInt64, UInt64, UInt64)

    package static let byteCount = 32
    package static let zero = Digest(words: (0, 0, 0, 0))

    package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Reads 32 bytes; the caller has checked that they are there.
    package init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount)
        unsafe words = (
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        )
    }

    /// Nil unless there are exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        let inPlace = bytes.withContiguousStorageIfAvailable { unsafe Digest(UnsafeRawBufferPointer($0)) }
        self = unsafe inPlace ?? Array(bytes).withUnsafeBytes { unsafe Digest($0) }
    }

    package var bytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(Self.byteCount)
        append(to: &out)
        return out
    }

    package func append(to out: inout [UInt8]) {
        let inOrder = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        unsafe withUnsafeBytes(of: inOrder) { unsafe out.append(contentsOf: $0) }
    }

    package static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }
    package static func < (left: Digest, right: Digest) -> Bool { left.words < right.words }
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0 ^ words.3) }

    /// 64 lower-case hexadecimal digits.
    package var hex: String { Hex.encode(bytes) }
    package init?(hex: String) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }
    package var description: String { hex }
}

/// Lower-case hexadecimal; decoding refuses everything else, so that a name has one spelling.
package enum Hex {
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out: [UInt8] = []
        for byte in bytes {
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }

    package static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            out.append(high << 4 | low)
        }
        return out
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
