package import Platform

/// Reads what `CanonicalEncoder` writes and refuses everything else: a longer spelling of a number, bytes left
/// over, a length past the end. What it accepts, re-encoded, gives the same bytes.
package struct CanonicalDecoder: Sendable {
    private let bytes: [UInt8]
    package private(set) var offset: Int
    private let end: Int
    /// What is being read, for the error.
    private let subject: String

    package init(_ bytes: [UInt8], _ subject: String) {
        self.bytes = bytes
        self.subject = subject
        offset = 0
        end = bytes.count
    }

    package var remaining: Int { end - offset }

    package func malformed(_ why: String) -> Failure {
        Failure(.damaged, "\(subject) cannot be read: \(why) at byte \(offset)")
    }

    package mutating func byte() throws(Failure) -> UInt8 {
        guard offset < end else { throw malformed("it ends early") }
        defer { offset += 1 }
        return bytes[offset]
    }

    package mutating func number() throws(Failure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            if shift == 63, next > 1 { throw malformed("a number past 64 bits") }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 {
                if next == 0, shift > 0 { throw malformed("a number in a longer spelling") }
                return value
            }
            shift += 7
            if shift > 63 { throw malformed("a number past 64 bits") }
        }
    }

    /// A number that must not exceed `limit`: every length is bounded before it is used.
    package mutating func number(atMost limit: UInt64) throws(Failure) -> UInt64 {
        let value = try number()
        guard value <= limit else { throw malformed("\(value) where at most \(limit) can be right") }
        return value
    }

    package mutating func number32() throws(Failure) -> UInt32 { UInt32(try number(atMost: UInt64(UInt32.max))) }

    package mutating func signed() throws(Failure) -> Int64 {
        let value = try number()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    package mutating func raw(_ count: Int) throws(Failure) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw malformed("\(count) bytes wanted, \(remaining) there") }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    package mutating func string(atMost limit: Int = Int(Int32.max)) throws(Failure) -> [UInt8] {
        let count = try number(atMost: UInt64(limit))
        return try raw(Int(count))
    }

    package mutating func text(atMost limit: Int = 65536) throws(Failure) -> String {
        guard let text = String(validating: try string(atMost: limit), as: UTF8.self) else {
            throw malformed("text that is not UTF-8")
        }
        return text
    }

    package mutating func digest() throws(Failure) -> Digest {
        guard remaining >= Digest.byteCount, let value = Digest(bytes[offset..<offset + Digest.byteCount]) else {
            throw malformed("it ends early")
        }
        offset += Digest.byteCount
        return value
    }

    package mutating func identifier<Owner>(_: Owner.Type = Owner.self) throws(Failure) -> Identifier<Owner> {
        let end = offset + Identifier<Owner>.byteCount
        guard end <= self.end else { throw malformed("it ends early") }
        defer { offset = end }
        return unsafe bytes.withUnsafeBytes {
            unsafe Identifier(reading: UnsafeRawBufferPointer(rebasing: $0[offset..<end]))
        }
    }

    /// A list of at most `limit` elements, each at least `smallest` bytes: a huge count costs nothing.
    package mutating func list<Element>(
        atMost limit: Int = 1 << 24, smallest: Int = 1,
        _ decode: (inout CanonicalDecoder) throws(Failure) -> Element
    ) throws(Failure) -> [Element] {
        let count = Int(try number(atMost: UInt64(limit)))
        guard count * smallest <= remaining else { throw malformed("\(count) elements do not fit") }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try decode(&self)) }
        return elements
    }

    /// Must be called last: what was read is all there is.
    package func finish() throws(Failure) {
        guard remaining == 0 else { throw malformed("\(remaining) bytes too many") }
    }
}
