internal import CLinux
internal import Glibc
internal import Synchronization

/// A listening unix socket. The file appears with it and goes with it; only the owner of the process may connect.
package final class UnixListener: Sendable {
    private let number: Int32
    private let stopped = Atomic(false)
    package let path: String

    /// A socket file left behind by a process that died is replaced; one that somebody listens on is not.
    /// - Throws: `.exists` when somebody listens there already, or something else than a socket has the name.
    package init(path: String, backlog: Int32 = 64) throws(Failure) {
        self.path = path
        number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw .system(errno, "cannot make a socket") }
        try Self.removeAbandoned(path)
        // Linux gives the file the rights that the socket has when it is bound: 0600 from its first moment.
        if fchmod(number, 0o600) != 0 { throw .system(errno, "cannot protect \(path)") }
        unsafe try UnixAddress.with(path) { [number] address, length throws(Failure) in
            if unsafe bind(number, address, length) != 0 { throw .system(errno, "cannot listen at \(path)") }
        }
        if listen(number, backlog) != 0 { throw .system(errno, "cannot listen at \(path)") }
    }

    deinit { _ = Glibc.close(number) }

    /// The next connection; nil once `stop()` was called.
    package func accept() throws(Failure) -> StreamSocket? {
        while true {
            let connection = linux_accept(number)
            if stopped.load(ordering: .sequentiallyConsistent) {
                if connection >= 0 { _ = Glibc.close(connection) }
                return nil
            }
            if connection >= 0 { return StreamSocket(owning: connection, name: "a client of \(path)") }
            if errno != ECONNABORTED { throw .system(errno, "cannot accept at \(path)") }
        }
    }

    /// No more connections: `accept()` returns nil, now and ever after, and the file is gone.
    package func stop() {
        stopped.store(true, ordering: .sequentiallyConsistent)
        unsafe unlink(path)
        // Linux wakes whoever waits in accept(2).
        _ = shutdown(number, Int32(SHUT_RDWR))
    }

    private static func removeAbandoned(_ path: String) throws(Failure) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw Failure(.exists, "\(path) is there already and is no socket")
        }
        let answered: Bool
        do throws(Failure) {
            _ = try StreamSocket.connect(unix: path)
            answered = true
        } catch {
            answered = error.code != .unreachable && error.code != .notFound
        }
        if answered { throw Failure(.exists, "Somebody listens at \(path) already") }
        unsafe unlink(path)
    }
}
