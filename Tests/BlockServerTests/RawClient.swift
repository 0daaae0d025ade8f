import Platform

/// An NBD client that sends whatever a test wants sent.
struct RawClient {
    let socket: StreamSocket

    init(_ path: String, flags: UInt32 = 3) throws {
        socket = try StreamSocket.connect(unix: path)
        guard let greeting = try receive(18), greeting.starts(with: Array("NBDMAGICIHAVEOPT".utf8)) else {
            throw Failure(.damaged, "no greeting")
        }
        try send(Self.big(flags))
    }

    func send(_ bytes: [UInt8]) throws { try socket.send(bytes, by: .after(.seconds(20))) }

    /// Nil when the server has closed.
    func receive(_ count: Int) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let isWhole = try bytes.withUnsafeMutableBytes { try socket.receive(filling: $0, by: .after(.seconds(20))) }
        return isWhole ? bytes : nil
    }

    func sendOption(_ option: UInt32, _ data: [UInt8] = [], length: UInt32? = nil) throws {
        try send(Array("IHAVEOPT".utf8) + Self.big(option) + Self.big(length ?? UInt32(data.count)) + data)
    }

    /// The kind and data of the next option reply; nil when the server has closed.
    func receiveReply() throws -> (kind: UInt32, data: [UInt8])? {
        guard let head = try receive(20) else { return nil }
        let kind = Self.number(head[12..<16])
        let length = Int(Self.number(head[16..<20]))
        return (UInt32(kind), length == 0 ? [] : try receive(length) ?? [])
    }

    /// NBD_OPT_GO to an export; the size and flags it has.
    func go(_ name: String, structured: Bool, allocation: Bool = false) throws -> (size: UInt64, flags: UInt16) {
        if structured {
            try sendOption(8)
            guard try receiveReply()?.kind == 1 else { throw Failure(.failed, "no structured replies") }
        }
        if allocation {
            try sendOption(10, Self.text(name) + Self.big(1 as UInt32) + Self.text("base:allocation"))
            guard try receiveReply()?.kind == 4, try receiveReply()?.kind == 1 else {
                throw Failure(.failed, "no context")
            }
        }
        try sendOption(7, Self.text(name) + [0, 0])
        var result: (UInt64, UInt16)?
        while let (kind, data) = try receiveReply() {
            if kind == 3 && data.starts(with: [0, 0]) {
                result = (Self.number(data[2..<10]), UInt16(Self.number(data[10..<12])))
            } else if kind == 1, let result {
                return result
            } else if kind >> 31 == 1 {
                throw Failure(.refused, "error \(kind & 0xFFFF)")
            }
        }
        throw Failure(.unreachable, "closed")
    }

    func request(_ kind: UInt16, flags: UInt16 = 0, cookie: UInt64 = 1, at offset: UInt64 = 0, _ length: UInt32 = 0)
        throws
    {
        try send(
            Self.big(0x2560_9513 as UInt32) + Self.big(flags) + Self.big(kind) + Self.big(cookie) + Self.big(offset)
                + Self.big(length))
    }

    /// The error of the next simple reply.
    func simpleReply(cookie: UInt64 = 1) throws -> UInt32 {
        guard let head = try receive(16), Self.number(head[0..<4]) == 0x6744_6698, Self.number(head[8..<16]) == cookie
        else { throw Failure(.damaged, "no simple reply") }
        return UInt32(Self.number(head[4..<8]))
    }

    struct Chunk: Equatable {
        var isLast: Bool
        var kind: UInt16
        var payload: [UInt8]
        /// Of an error chunk.
        var error: UInt64 { RawClient.number(payload[0..<4]) }
    }

    func chunk(cookie: UInt64 = 1) throws -> Chunk {
        guard let head = try receive(20), Self.number(head[0..<4]) == 0x668e_33ef, Self.number(head[8..<16]) == cookie
        else { throw Failure(.damaged, "no chunk") }
        let length = Int(Self.number(head[16..<20]))
        return Chunk(
            isLast: head[5] & 1 == 1, kind: UInt16(Self.number(head[6..<8])),
            payload: length == 0 ? [] : try receive(length) ?? [])
    }

    func chunks(cookie: UInt64 = 1) throws -> [Chunk] {
        var chunks: [Chunk] = []
        repeat { chunks.append(try chunk(cookie: cookie)) } while !(chunks.last?.isLast ?? true)
        return chunks
    }

    static func big(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    static func text(_ text: String) -> [UInt8] { big(UInt32(text.utf8.count)) + Array(text.utf8) }
    static func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
