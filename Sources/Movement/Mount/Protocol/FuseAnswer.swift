import Glibc

/// What is sent back.
enum FuseAnswer {
    /// The kernel waits for no answer.
    case silence
    /// An error's number.
    case error(Int32)
    /// The fields of the answer.
    case fields(FuseFields)
    /// Bytes of a file.
    case bytes([UInt8])

    static let headerByteCount = 16

    /// As it goes over the device: the head, and what follows it.
    func encoded(for unique: UInt64) -> (head: [UInt8], body: ArraySlice<UInt8>)? {
        var body: ArraySlice<UInt8> = []
        var error: Int32 = 0
        switch self {
        case .silence: return nil
        case .error(let number): error = -number
        case .fields(let fields): body = fields.bytes[...]
        case .bytes(let bytes): body = bytes[...]
        }
        var head = FuseFields()
        head.number32(UInt32(Self.headerByteCount + body.count))
        head.number32(UInt32(bitPattern: error))
        head.number64(unique)
        return (head.bytes, body)
    }

    static let success = FuseAnswer.fields(FuseFields())
}
