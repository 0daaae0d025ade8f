import BlockServer
import Browse
import Capture
import Glibc
import Hypervisor
import Mount
import Platform
import S3Store
import Support

extension FuzzTarget {
    /// What others send: object stores, monitors and guest agents, clients of a disk, the kernel, people.
    static let outside = [
        FuzzTarget(name: "xml") { bytes in
            _ = try? XMLScanner.scan(bytes) { _, _ in }
            _ = try? ListingPage(bytes)
            _ = try? VersionsPage(bytes)
            _ = ErrorAnswer(bytes)
        },
        FuzzTarget(name: "qmp") { bytes in
            _ = try? QMPMessage(bytes)
        },
        FuzzTarget(name: "exclude") { bytes in
            guard let list = try? ExcludeList(file: bytes) else { return }
            let names: [[UInt8]] = [Array("letters".utf8), Array("caf\u{e9}.txt".utf8), [0xFF, 0x2A, 0x0A]]
            for name in names {
                _ = list.verdict(name, below: names[...], isDirectory: false)
                _ = list.verdict(name, below: [], isDirectory: true)
            }
        },
        FuzzTarget(name: "nbd") { bytes in
            guard let connection = connect(DiskServer.shared.path) else { return }
            defer { close(connection) }
            _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            shutdown(connection, Int32(SHUT_WR))
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            // The server ends the connection, whatever was sent.
            while recv(connection, &buffer, buffer.count, 0) > 0 {}
        },
        FuzzTarget(name: "fuse") { bytes in
            // Requests one after another, as the kernel would make them if it were not the kernel.
            let responder = FuzzKeys.responder()
            var rest = bytes[...]
            for _ in 0..<8 where !rest.isEmpty {
                _ = responder.answer(rest)
                let length = Int(rest.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } % 4096)
                rest = rest.dropFirst(max(length, 40))
            }
        },
    ]

    private static func connect(_ path: String) -> Int32? {
        let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard connection >= 0 else { return nil }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return connection }
        close(connection)
        return nil
    }
}

/// A server of one small disk.
private final class DiskServer: Sendable {
    static let shared = DiskServer()
    let path: String
    private let server: NBDServer?

    private init() {
        path = FuzzKeys.folder("nbd")
        server = try? NBDServer(path: path, exports: [NBDExport(name: "disk", source: Zeros(size: 1 << 20))])
    }

    private struct Zeros: BlockSource {
        let size: UInt64
        func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
            precondition(offset + UInt64(target.count) <= size)
            target.initializeMemory(as: UInt8.self, repeating: 0)
        }
        func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent] {
            precondition(!range.isEmpty && range.upperBound <= size)
            return [BlockExtent(length: UInt64(range.count), isHole: true)]
        }
    }
}
