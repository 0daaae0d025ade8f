package import Platform

/// Disks of snapshots as network block devices on a unix socket, read-only, by the NBD protocol (fixed newstyle
/// handshake, structured replies and base:allocation where the client wants them). Only the user that runs it may
/// connect. Each connection has threads of its own; the server is stopped when its last owner lets go of it.
package final class NBDServer: Sendable {
    package let path: String
    private let listener: UnixListener
    private let acceptor: EngineThread
    private let clients: Monitor<Clients>

    private struct Clients {
        var connections: [UInt64: (socket: StreamSocket, thread: EngineThread)] = [:]
        /// Served, their threads not yet joined.
        var done: [UInt64] = []
        var next: UInt64 = 0
        var isStopped = false
    }

    /// Listens at once.
    ///
    /// - Parameters:
    ///   - path: where the socket file shall be; one that a dead process left is replaced.
    ///   - onProblem: told of every failure of a source, on the thread that met it; clients see an error number only.
    /// - Throws: `.exists` when somebody listens there, `.usage` for names that are not distinct or too long.
    package init(
        path: String, exports: [NBDExport], limits: NBDLimits = NBDLimits(),
        onProblem: @escaping @Sendable (Failure) -> Void = { _ in }
    ) throws(Failure) {
        guard Set(exports.map(\.name)).count == exports.count,
            exports.allSatisfy({ $0.name.utf8.count <= NBD.longestName && $0.description.utf8.count <= NBD.longestName }
            )
        else { throw Failure(.usage, "Exports of \(path) need distinct names of at most \(NBD.longestName) bytes") }
        let listener = try UnixListener(path: path)
        let clients = Monitor(Clients())
        self.path = path
        self.listener = listener
        self.clients = clients
        acceptor = EngineThread(name: "nbd-accept") {
            while true {
                do throws(Failure) {
                    guard let socket = try listener.accept() else { return }
                    let connection = NBDConnection(
                        socket: socket, exports: exports, limits: limits, onProblem: onProblem)
                    Self.admit(connection, clients, limits)
                } catch {
                    // Out of descriptors, most likely: existing clients are served on, new ones tried again.
                    onProblem(error)
                    if clients.access({ $0.isStopped }) { return }
                    Surroundings.system.pause(100_000_000)
                }
            }
        }
    }

    deinit { stop() }

    /// How many clients are connected now.
    package var connectionCount: Int { clients.access { $0.connections.count - $0.done.count } }

    /// Takes no more connections, ends those there are, and returns when no thread of the server is left.
    package func stop() {
        let first = clients.access { clients in
            defer { clients.isStopped = true }
            return !clients.isStopped
        }
        guard first else { return }
        listener.stop()
        acceptor.join()
        let open = clients.access { clients in
            defer { clients.connections = [:] }
            return Array(clients.connections.values)
        }
        for client in open { client.socket.shutDown() }
        for client in open { client.thread.join() }
    }

    private static func admit(_ connection: NBDConnection, _ clients: Monitor<Clients>, _ limits: NBDLimits) {
        reap(clients)
        clients.access { those in
            guard !those.isStopped, those.connections.count < limits.connections else { return }
            let number = those.next
            those.next += 1
            let thread = EngineThread(name: "nbd-client") {
                connection.serve()
                connection.socket.shutDown()
                clients.access { $0.done.append(number) }
            }
            those.connections[number] = (connection.socket, thread)
        }
    }

    /// Joins the threads of clients that have gone.
    private static func reap(_ clients: Monitor<Clients>) {
        let gone = clients.access { clients in
            defer { clients.done = [] }
            return clients.done.compactMap { clients.connections.removeValue(forKey: $0)?.thread }
        }
        for thread in gone { thread.join() }
    }
}
