import Glibc
import Platform
import Testing

@Suite struct SocketTests {
    @Test(arguments: [0, 150]) func `bytes go both ways, however deep the socket lies`(depth: Int) throws {
        let folder = try temporaryFolder(depth: depth)
        let path = folder + "/socket"
        let listener = try UnixListener(path: path)
        let server = EngineThread(name: "echo") {
            guard let connection = try? listener.accept() else { return }
            _ = try? connection.send(receiveAll(connection, 5), by: .after(.seconds(20)))
        }
        let client = try StreamSocket.connect(unix: path)
        let text = Array("hello".utf8)
        try text.withUnsafeBytes { bytes in
            try client.send(
                UnsafeRawBufferPointer(rebasing: bytes[..<2]), UnsafeRawBufferPointer(rebasing: bytes[2...]),
                by: .after(.seconds(20)))
        }
        #expect(receiveAll(client, 5) == text)
        server.join()
        listener.stop()
        #expect(throws: Failure(.notFound, "")) { try StreamSocket.connect(unix: path) }
    }

    @Test func `only the owner may connect`() throws {
        let path = try temporaryFolder(depth: 0) + "/socket"
        let listener = try UnixListener(path: path)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        listener.stop()
    }

    @Test func `a socket left by the dead is replaced, a living one is not`() throws {
        let path = try temporaryFolder(depth: 0) + "/socket"
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        close(number)

        let listener = try UnixListener(path: path)
        #expect(throws: Failure(.exists, "")) { try UnixListener(path: path) }
        listener.stop()
    }

    @Test func `stopping wakes whoever waits for a connection`() throws {
        let listener = try UnixListener(path: try temporaryFolder(depth: 0) + "/socket")
        let waiter = EngineThread(name: "waiter") {
            #expect(throws: Never.self) { while let _ = try listener.accept() {} }
        }
        listener.stop()
        waiter.join()
        #expect(try listener.accept() === nil)
    }

    @Test func `a silent peer ends in a deadline, a closed one in an end`() throws {
        let listener = try UnixListener(path: try temporaryFolder(depth: 0) + "/socket")
        let client = try StreamSocket.connect(unix: listener.path)
        var peer = try listener.accept()
        var byte: UInt8 = 0
        #expect(throws: Failure(.unreachable, "")) {
            try withUnsafeMutableBytes(of: &byte) { try client.receive(into: $0, by: .after(.milliseconds(20))) }
        }
        #expect(peer != nil)
        peer = nil
        #expect(try withUnsafeMutableBytes(of: &byte) { try client.receive(into: $0, by: .after(.seconds(20))) } == 0)
        listener.stop()
    }

    @Test func `a peer that takes nothing ends in a deadline`() throws {
        let listener = try UnixListener(path: try temporaryFolder(depth: 0) + "/socket")
        let client = try StreamSocket.connect(unix: listener.path)
        let peer = try listener.accept()
        #expect(throws: Failure(.unreachable, "")) {
            try client.send([UInt8](repeating: 1, count: 8 << 20), by: .after(.milliseconds(50)))
        }
        #expect(peer != nil)
        listener.stop()
    }

    @Test func `a listener that accepts nobody ends in a deadline`() throws {
        let listener = try UnixListener(path: try temporaryFolder(depth: 0) + "/socket", backlog: 0)
        var waiting: [StreamSocket] = []
        #expect(throws: Failure(.unreachable, "")) {
            while true { waiting.append(try StreamSocket.connect(unix: listener.path, by: .after(.milliseconds(50)))) }
        }
        #expect(!waiting.isEmpty)
        listener.stop()
    }

    private func receiveAll(_ socket: StreamSocket, _ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let whole = bytes.withUnsafeMutableBytes {
            (try? socket.receive(filling: $0, by: .after(.seconds(20)))) ?? false
        }
        return whole ? bytes : []
    }

    private let scratch = ScratchFolder()

    private func temporaryFolder(depth: Int) throws -> String {
        var path = scratch.path
        if depth > 0 {
            path += "/" + String(repeating: "d", count: depth)
            try #require(mkdir(path, 0o700) == 0)
        }
        return path
    }
}
