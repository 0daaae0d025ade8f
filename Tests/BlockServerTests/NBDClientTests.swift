import BlockServer
import Foundation
import Platform
import Support
import Testing

/// Against clients that others wrote: qemu-img and libnbd's tools. Without them these fail.
@Suite struct NBDClientTests {
    private let directory: TemporaryDirectory
    private let server: NBDServer
    private let image: String

    init() throws {
        directory = try TemporaryDirectory("nbd")
        image = try DesktopFixture.path()
        let cache = CachingBlockSource(try FileBlockSource(path: image))
        server = try NBDServer(
            path: directory("socket"),
            exports: [NBDExport(name: "desk 01/桌面", source: cache)])
    }

    private var address: String {
        "nbd+unix:///desk%2001/%E6%A1%8C%E9%9D%A2?socket=\(server.path)"
    }

    @discardableResult
    private func run(_ program: String, _ arguments: String...) throws -> String {
        let output = try ChildProcess.run(program, arguments, scratch: directory.path, limit: .seconds(120))
        return String(decoding: output, as: UTF8.self)
    }

    @Test func `qemu-img finds the same bytes and copies them`() throws {
        #expect(try run("qemu-img", "compare", "-f", "raw", "-F", "raw", address, image).contains("identical"))
        try run("qemu-img", "convert", "-f", "raw", "-O", "raw", address, directory("copy.raw"))
        #expect(try run("cmp", directory("copy.raw"), image).isEmpty)
        // The holes came over as holes.
        let map = try run("qemu-img", "map", "--output=json", "-f", "raw", address)
        #expect(map.contains(#""zero": true, "data": false"#))
        var status = stat()
        #expect(stat(directory("copy.raw"), &status) == 0 && status.st_blocks * 512 < 60 << 20)
    }

    @Test func `libnbd understands every answer`() throws {
        let information = try run("nbdinfo", "--json", address)
        #expect(information.contains(#""export-size": 100663296"#))
        #expect(information.contains(#""is_read_only": true"#))
        #expect(information.contains(#""can_multi_conn": true"#))
        #expect(information.contains("base:allocation"))
        #expect(information.contains(#""block_size_maximum": 33554432"#))
        #expect(try run("nbdinfo", "--list", "nbd+unix://?socket=\(server.path)").contains("desk 01/桌面"))
        #expect(try run("nbdinfo", "--map", address).contains("hole,zero"))
    }

    @Test func `nbdcopy copies over several connections at once`() throws {
        try run("nbdcopy", "--connections=4", "--threads=4", address, directory("copy.raw"))
        #expect(try run("cmp", directory("copy.raw"), image).isEmpty)
        #expect(throws: Failure(.failed, "")) { try run("nbdcopy", image, address) }
    }

    @Test func `clients without structured replies are served too`() throws {
        let client = try RawClient(server.path)
        let (size, _) = try client.go("desk 01/桌面", structured: false)
        let file = try FileBlockSource(path: image)
        #expect(size == file.size)
        for offset in stride(from: UInt64(0), to: size, by: 7 << 20) {
            try client.request(0, at: offset, 1 << 20)
            #expect(try client.simpleReply() == 0)
            #expect(try client.receive(1 << 20) == file.bytes(offset..<offset + 1 << 20))
        }
    }

    @Test func `several clients at once see the same disk`() throws {
        let clients = (0..<3).map { number in
            EngineThread(name: "client") {
                #expect(throws: Never.self) {
                    let output = try run("qemu-img", "compare", "-f", "raw", "-F", "raw", address, image)
                    #expect(output.contains("identical"), "\(number)")
                }
            }
        }
        for client in clients { client.join() }
    }
}
