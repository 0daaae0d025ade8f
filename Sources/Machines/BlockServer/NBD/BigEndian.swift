extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger & UnsignedInteger) {
        for index in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> index))
        }
    }
}

/// Takes integers from the front of what a client sent; nil once there is too little left.
struct BigEndianReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var left: Int { bytes.count - place }

    mutating func take<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type = Value.self) -> Value? {
        guard let taken = take(MemoryLayout<Value>.size) else { return nil }
        return taken.reduce(0) { $0 << 8 | Value($1) }
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= left else { return nil }
        defer { place += count }
        return bytes[place..<place + count]
    }

    /// A length of 32 bits and as many bytes of UTF-8.
    mutating func takeText(longest: Int) -> String? {
        guard let length = take(UInt32.self), length <= longest, let bytes = take(Int(length)) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
