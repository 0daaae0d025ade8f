internal import Platform
internal import Synchronization

/// Sends answers whole, one after another, whichever thread has them. After the first that cannot be sent the
/// connection is shut, so that nobody works for a client that is gone.
final class NBDReplyWriter: Sendable {
    private let socket: StreamSocket
    private let patience: Duration
    private let isBroken = Mutex(false)

    init(_ socket: StreamSocket, patience: Duration) {
        self.socket = socket
        self.patience = patience
    }

    func simple(_ cookie: UInt64, _ problem: NBD.Problem? = nil) throws(Failure) {
        try unsafe simple(cookie, UnsafeRawBufferPointer(start: nil, count: 0), problem)
    }

    func simple(_ cookie: UInt64, _ data: UnsafeRawBufferPointer, _ problem: NBD.Problem? = nil) throws(Failure) {
        var head: [UInt8] = []
        head.append(bigEndian: NBD.simpleReplyMagic)
        head.append(bigEndian: problem?.rawValue ?? 0)
        head.append(bigEndian: cookie)
        unsafe try send(head, data)
    }

    /// A chunk of a structured reply: `start` and then `data` are its payload.
    func chunk(
        _ kind: NBD.Chunk, _ cookie: UInt64, isLast: Bool, _ start: [UInt8], _ data: UnsafeRawBufferPointer
    ) throws(Failure) {
        var head: [UInt8] = []
        head.append(bigEndian: NBD.structuredReplyMagic)
        head.append(bigEndian: isLast ? NBD.chunkIsLast : 0 as UInt16)
        head.append(bigEndian: kind.rawValue)
        head.append(bigEndian: cookie)
        head.append(bigEndian: UInt32(start.count + data.count))
        unsafe try send(head + start, data)
    }

    func chunk(_ kind: NBD.Chunk, _ cookie: UInt64, isLast: Bool, _ start: [UInt8] = []) throws(Failure) {
        try unsafe chunk(kind, cookie, isLast: isLast, start, UnsafeRawBufferPointer(start: nil, count: 0))
    }

    func failure(_ cookie: UInt64, _ problem: NBD.Problem, _ words: String) throws(Failure) {
        let text = words.prefix(250).utf8.prefix(1024)
        var payload: [UInt8] = []
        payload.append(bigEndian: problem.rawValue)
        payload.append(bigEndian: UInt16(text.count))
        try chunk(.error, cookie, isLast: true, payload + Array(text))
    }

    private func send(_ head: [UInt8], _ data: UnsafeRawBufferPointer) throws(Failure) {
        let problem: Failure? = isBroken.withLock { isBroken in
            if isBroken { return Failure(.unreachable, "\(socket.name) is gone") }
            return unsafe head.withUnsafeBytes { head in
                do throws(Failure) {
                    unsafe try socket.send(head, data, by: .after(patience))
                    return nil
                } catch {
                    // Half an answer may be out: nothing after it could be understood.
                    isBroken = true
                    socket.shutDown()
                    return error
                }
            }
        }
        if let problem { throw problem }
    }
}
