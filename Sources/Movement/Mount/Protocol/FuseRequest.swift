/// A request as it lies in the buffer: the header that all have, and the fields behind it, in the machine's byte order.
struct FuseRequest {
    static let headerByteCount = 40

    let operation: UInt32
    /// Its number; the answer bears it too.
    let unique: UInt64
    let node: UInt64
    private let body: ArraySlice<UInt8>

    /// Nil for bytes that are no request.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= Self.headerByteCount else { return nil }
        let length = Self.number(bytes, at: 0, of: 4)
        guard length >= Self.headerByteCount, length <= bytes.count else { return nil }
        operation = UInt32(Self.number(bytes, at: 4, of: 4))
        unique = Self.number(bytes, at: 8, of: 8)
        node = Self.number(bytes, at: 16, of: 8)
        body = bytes[(bytes.startIndex + Self.headerByteCount)..<(bytes.startIndex + Int(length))]
    }

    /// The fields behind the header; 0 past their end.
    func number32(at offset: Int) -> UInt32 { UInt32(Self.number(body, at: offset, of: 4)) }
    func number64(at offset: Int) -> UInt64 { Self.number(body, at: offset, of: 8) }

    /// The name that begins at `offset` and ends with a NUL.
    func name(at offset: Int) -> [UInt8] { Array(body.dropFirst(offset).prefix { $0 != 0 }) }

    private static func number(_ bytes: ArraySlice<UInt8>, at offset: Int, of width: Int) -> UInt64 {
        guard offset >= 0, offset + width <= bytes.count else { return 0 }
        let start = bytes.startIndex + offset
        // Every machine that Breakwater runs on is little-endian.
        return (0..<width).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << (8 * UInt64($1)) }
    }
}
