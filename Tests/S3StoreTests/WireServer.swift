import Glibc
import Platform
import Support
import Synchronization

/// A server of one test on loopback that speaks HTTP by hand, one connection after another, and does what no honest
/// server does.
final class WireServer: Sendable {
    /// What becomes of a connection after an answer. One that drips goes on with a byte after each so many milliseconds, until
    /// that many were sent or the client leaves, and is kept then.
    enum Then: Sendable, Equatable { case keep, close, drip(bytes: Int, every: Int32) }

    let port: UInt16
    private let listener: Int32
    private let log = Monitor(Log())
    private let thread = Mutex<EngineThread?>(nil)

    private struct Log {
        var connections = 0
        var requests: [String] = []
        /// The connection at hand.
        var open: Int32?
        var hasEnded = false
    }

    /// - Parameter answer: given the number of the request (from 0) and its head, what is sent back, with the rest of the
    ///   request left unread; nil closes the connection without a word.
    init(_ answer: @escaping @Sendable (_ number: Int, _ head: String) -> (bytes: [UInt8], then: Then)?) throws(Failure)
    {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard listener >= 0, bound else { throw Failure.system(errno, "cannot listen on loopback") }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        let log = log
        thread.withLock {
            $0 = EngineThread(name: "wire-server") {
                while true {
                    let connection = accept(listener, nil, nil)
                    guard connection >= 0 else { return }
                    let hasEnded = log.access {
                        $0.connections += 1
                        $0.open = connection
                        return $0.hasEnded
                    }
                    if !hasEnded { Self.serve(connection, log, answer) }
                    log.access { $0.open = nil }
                    close(connection)
                }
            }
        }
    }

    var endpoint: String { "http://127.0.0.1:\(port)" }
    var connections: Int { log.access { $0.connections } }
    var requests: [String] { log.access { $0.requests } }

    private static func serve(
        _ connection: Int32, _ log: Monitor<Log>,
        _ answer: (Int, String) -> (bytes: [UInt8], then: Then)?
    ) {
        while let head = readHead(connection) {
            let number = log.access {
                $0.requests.append(head)
                return $0.requests.count - 1
            }
            if head.hasPrefix("PUT") {
                // The body has come, and is left where it is.
                var byte: UInt8 = 0
                recv(connection, &byte, 1, Int32(MSG_PEEK))
            }
            guard let (bytes, then) = answer(number, head) else { return }
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    send(connection, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                sent += count
            }
            if then == .close { return }
            guard case .drip(let count, let pause) = then else { continue }
            for _ in 0..<count {
                var client = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
                guard poll(&client, 1, pause) == 0 else { return }
                guard send(connection, [UInt8(ascii: "x")], 1, Int32(MSG_NOSIGNAL)) == 1 else { return }
            }
        }
    }

    /// Up to the empty line, and not a byte more; nil when the connection ends.
    private static func readHead(_ connection: Int32) -> String? {
        var head: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        while !head.suffix(4).elementsEqual(end) {
            var byte: UInt8 = 0
            guard recv(connection, &byte, 1, 0) == 1, head.count < 65536 else { return nil }
            head.append(byte)
        }
        return String(decoding: head, as: UTF8.self)
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        // A client that is still there may hold its connection open.
        log.access {
            $0.hasEnded = true
            if let open = $0.open { shutdown(open, Int32(SHUT_RDWR)) }
        }
        thread.withLock { $0?.join() }
        close(listener)
    }
}
