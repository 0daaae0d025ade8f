internal import Glibc

/// A connected stream socket whose calls block, each no longer than its deadline. One thread may receive while
/// another sends; any thread may `shutDown()`, which ends both. Closed when the last owner lets go of it, so a number
/// is never reused under somebody's call.
package final class StreamSocket: Sendable {
    private let number: Int32
    /// What messages call it.
    package let name: String

    init(owning number: Int32, name: String) {
        self.number = number
        self.name = name
    }

    deinit { _ = Glibc.close(number) }

    // MARK: - Connecting

    /// A listener that accepts nobody lets the connections of a few wait and blocks the next: hence the deadline.
    /// - Throws: `.notFound` when there is no such socket, `.unreachable` when nobody listens there or accepts in time.
    package static func connect(
        unix path: String, by deadline: Deadline = .after(.seconds(10))
    ) throws(Failure) -> StreamSocket {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw .system(errno, "cannot make a socket") }
        let connection = StreamSocket(owning: number, name: path)
        limit(number, deadline)
        unsafe try UnixAddress.with(path) { address, length throws(Failure) in
            while unsafe Glibc.connect(number, address, length) != 0 {
                if errno == EINTR { continue }
                throw Failure.connecting(to: path, errno)
            }
        }
        return connection
    }

    /// To a port of this machine's own 127.0.0.1.
    /// - Throws: `.unreachable` when nobody listens there or accepts in time.
    package static func connect(
        loopbackPort port: UInt16, by deadline: Deadline = .after(.seconds(10))
    ) throws(Failure) -> StreamSocket {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw .system(errno, "cannot make a socket") }
        let connection = StreamSocket(owning: number, name: "127.0.0.1:\(port)")
        limit(number, deadline)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe Glibc.connect(number, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 { throw Failure.connecting(to: connection.name, errno) }
        return connection
    }

    /// Linux bounds connect(2) by the time limit for sending, which nothing else here uses.
    private static func limit(_ number: Int32, _ deadline: Deadline) {
        guard let remaining = deadline.remaining else { return }
        let (seconds, attoseconds) = remaining.components
        // Zero would mean no limit.
        var time = timeval(tv_sec: Int(seconds), tv_usec: max(1, Int(attoseconds / 1_000_000_000_000)))
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    // MARK: - Receiving

    /// What has come, at least one byte; 0 when the other side has closed.
    /// - Throws: `.unreachable` when the deadline passes first or the connection breaks.
    package func receive(into buffer: UnsafeMutableRawBufferPointer, by deadline: Deadline) throws(Failure) -> Int {
        while true {
            guard try deadline.wait(for: number, POLLIN) else {
                throw Failure(.unreachable, "\(name) said nothing in time")
            }
            let count = unsafe recv(number, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
            if count >= 0 { return count }
            if errno != EINTR && errno != EAGAIN { throw Failure.broken(name, errno) }
        }
    }

    /// Fills the buffer.
    /// - Returns: false when the other side closed before the first byte.
    /// - Throws: `.unreachable` when it closes in the middle, breaks, or the deadline passes first.
    package func receive(filling buffer: UnsafeMutableRawBufferPointer, by deadline: Deadline) throws(Failure) -> Bool {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = unsafe try receive(into: rest, by: deadline)
            if count == 0 {
                if done == 0 { return false }
                throw Failure(.unreachable, "\(name) closed in the middle of a message")
            }
            done += count
        }
        return true
    }

    // MARK: - Sending

    /// Sends all of both parts, one after the other, without joining them first.
    /// - Throws: `.unreachable` when the other side is gone or does not take the bytes by the deadline.
    package func send(
        _ head: UnsafeRawBufferPointer,
        _ body: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0),
        by deadline: Deadline
    ) throws(Failure) {
        var done = 0
        while done < head.count + body.count {
            let first = unsafe UnsafeRawBufferPointer(rebasing: head[min(done, head.count)...])
            let second = unsafe UnsafeRawBufferPointer(rebasing: body[max(0, done - head.count)...])
            let count = unsafe sendSome(first, second)
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                guard try deadline.wait(for: number, POLLOUT) else {
                    throw Failure(.unreachable, "\(name) did not take what was sent in time")
                }
            } else if errno != EINTR {
                throw Failure.broken(name, errno)
            }
        }
    }

    package func send(_ bytes: [UInt8], by deadline: Deadline) throws(Failure) {
        var problem: Failure?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Failure) { unsafe try send(buffer, by: deadline) } catch { problem = error }
        }
        if let problem { throw problem }
    }

    private func sendSome(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int {
        unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
            unsafe parts[0] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
            unsafe parts[1] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
            var message = unsafe msghdr()
            unsafe message.msg_iov = parts.baseAddress
            unsafe message.msg_iovlen = 2
            return unsafe sendmsg(number, &message, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    // MARK: - Ending

    /// Ends both directions at once: whoever waits in a call returns, and the other side sees the end.
    package func shutDown() { _ = shutdown(number, Int32(SHUT_RDWR)) }
}

extension Failure {
    fileprivate static func connecting(to name: String, _ number: Int32) -> Failure {
        let failure = Failure.system(number, "cannot connect to \(name)")
        return switch number {
        case ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EAGAIN, EINPROGRESS:
            Failure(.unreachable, failure.what)
        default: failure
        }
    }

    fileprivate static func broken(_ name: String, _ number: Int32) -> Failure {
        Failure(.unreachable, "The connection of \(name) broke: \(String(systemError: number))")
    }
}
