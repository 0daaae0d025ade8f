/// What a client asks for in the transmission phase: 28 bytes.
struct NBDRequest: Sendable, Equatable {
    static let byteCount = 28

    var flags: UInt16
    /// As sent: it may be no command at all.
    var kind: UInt16
    /// The client's own mark, sent back as it is.
    var cookie: UInt64
    var offset: UInt64
    var length: UInt32

    /// Nil when the bytes are no request: then nothing after them can be understood either.
    init?(_ bytes: [UInt8]) {
        var reader = BigEndianReader(bytes)
        guard reader.take(UInt32.self) == NBD.requestMagic, let flags = reader.take(UInt16.self),
            let kind = reader.take(UInt16.self), let cookie = reader.take(UInt64.self),
            let offset = reader.take(UInt64.self), let length = reader.take(UInt32.self)
        else { return nil }
        self.flags = flags
        self.kind = kind
        self.cookie = cookie
        self.offset = offset
        self.length = length
    }

    /// The bytes it is about; nil when they do not lie within a disk of `size`.
    func range(within size: UInt64) -> Range<UInt64>? {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(length))
        return overflow || end > size ? nil : offset..<end
    }
}
