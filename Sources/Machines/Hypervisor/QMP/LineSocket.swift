package import Platform

/// Lines over a socket, each bounded: a peer that never ends its line is cut off instead of filling our memory.
package final class LineSocket {
    package static let longest = 1 << 20

    private let socket: StreamSocket
    private var pending: [UInt8] = []
    /// Where in `pending` the search for an end goes on.
    private var searched = 0

    package init(_ socket: StreamSocket) { self.socket = socket }

    /// The next line without its end; nil when the other side closed between lines.
    package func next(by deadline: Deadline) throws(Failure) -> [UInt8]? {
        while true {
            if let end = pending[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(pending[..<end])
                pending.removeSubrange(...end)
                searched = 0
                return line
            }
            searched = pending.count
            if pending.count > Self.longest {
                throw Failure(.damaged, "\(socket.name) sent a line longer than \(Self.longest) bytes")
            }
            if try !receive(by: deadline) {
                if pending.isEmpty { return nil }
                throw Failure(.unreachable, "\(socket.name) closed in the middle of a line")
            }
        }
    }

    /// Throws away what came up to and including `byte`.
    package func skip(past byte: UInt8, by deadline: Deadline) throws(Failure) {
        while true {
            if let end = pending.firstIndex(of: byte) {
                pending.removeSubrange(...end)
                searched = 0
                return
            }
            pending = []
            searched = 0
            if try !receive(by: deadline) { throw Failure(.unreachable, "\(socket.name) closed") }
        }
    }

    package func send(_ bytes: [UInt8], by deadline: Deadline) throws(Failure) { try socket.send(bytes, by: deadline) }

    private func receive(by deadline: Deadline) throws(Failure) -> Bool {
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
            do throws(Failure) {
                count = unsafe try socket.receive(into: UnsafeMutableRawBufferPointer(buffer), by: deadline)
            } catch {
                problem = error
            }
        }
        if let problem { throw problem }
        pending += bytes
        return !bytes.isEmpty
    }
}
