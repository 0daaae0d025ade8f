import Platform
import Support

/// The other end of a unix socket, played by a test: it accepts one connection and does as it is told with it.
final class FakePeer: Sendable {
    let client: StreamSocket
    private let thread: EngineThread
    private let directory: TemporaryDirectory
    private let listener: UnixListener

    init(_ play: @escaping @Sendable (StreamSocket) throws -> Void) throws {
        directory = try TemporaryDirectory("peer")
        let listener = try UnixListener(path: directory("socket"))
        self.listener = listener
        thread = EngineThread(name: "peer") {
            guard let connection = try? listener.accept() else { return }
            try? play(connection)
        }
        client = try StreamSocket.connect(unix: listener.path)
    }

    deinit {
        client.shutDown()
        thread.join()
        listener.stop()
    }

    static let greeting =
        #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}"# + "\r\n"
}

extension StreamSocket {
    func say(_ text: String) throws { try send(Array(text.utf8), by: .after(.seconds(20))) }

    /// Reads one line, byte by byte.
    func hear() throws -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while try withUnsafeMutableBytes(of: &byte, { try receive(into: $0, by: .after(.seconds(20))) }) == 1 {
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }
}
