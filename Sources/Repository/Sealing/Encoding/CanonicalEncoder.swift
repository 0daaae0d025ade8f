package import Platform

/// Writes the one encoding a value has (FORMAT.md, "Encoding"): fields in fixed order, numbers as minimal LEB128,
/// byte strings with their length before them. Equal values give equal bytes, so a hash or a signature over them
/// means the value.
package struct CanonicalEncoder: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func byte(_ value: UInt8) { bytes.append(value) }

    /// Unsigned LEB128, shortest form.
    package mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func number(_ value: Int) { number(UInt64(value)) }

    /// Two's complement mapped so that small magnitudes stay short: 0, -1, 1, -2 are 0, 1, 2, 3.
    package mutating func signed(_ value: Int64) { number(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// Bytes of a length that the format fixes.
    package mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

    /// Bytes of any length: the length, then the bytes.
    package mutating func string(_ value: some Collection<UInt8>) {
        number(value.count)
        bytes.append(contentsOf: value)
    }

    /// The same for arrays: what is generic is not specialised across modules, and this runs several times a file.
    package mutating func string(_ value: [UInt8]) {
        number(value.count)
        bytes.append(contentsOf: value)
    }

    package mutating func text(_ value: String) { string(Array(value.utf8)) }
    package mutating func digest(_ value: Digest) { value.append(to: &bytes) }
    package mutating func identifier<Owner>(_ value: Identifier<Owner>) { value.append(to: &bytes) }

    package mutating func list<Element>(
        _ elements: some Collection<Element>, _ encode: (inout CanonicalEncoder, Element) -> Void
    ) {
        number(elements.count)
        for element in elements { encode(&self, element) }
    }

    package static func bytes(_ write: (inout CanonicalEncoder) -> Void) -> [UInt8] {
        var encoder = CanonicalEncoder()
        write(&encoder)
        return encoder.bytes
    }
}
