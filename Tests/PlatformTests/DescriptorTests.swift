import Glibc
import Platform
import Testing

@Suite struct DescriptorTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    func read(_ descriptor: borrowing Descriptor, _ count: Int, at offset: UInt64) throws -> [UInt8] {
        var out = [UInt8](repeating: 0, count: count)
        let done = try out.withUnsafeMutableBytes { try descriptor.read(into: $0, at: offset) }
        return Array(out.prefix(done))
    }

    @Test func whatIsWrittenIsRead() throws {
        let written = try Descriptor.open(scratch("file"), O_RDWR | O_CREAT | O_EXCL)
        try written.write(Array("hello, ".utf8))
        try written.write(Array("world".utf8))
        try Array("HELLO".utf8).withUnsafeBytes { try written.write($0, at: 0) }
        try written.sync()
        #expect(try written.size() == 12)
        #expect(try read(written, 100, at: 0) == Array("HELLO, world".utf8))
        #expect(try read(written, 5, at: 7) == Array("world".utf8))
        #expect(try read(written, 5, at: 12).isEmpty)
        try written.truncate(to: 5)
        try written.close()

        let again = try Descriptor.open(scratch("file"), O_RDONLY)
        #expect(try again.readSome(limit: 3) == Array("HEL".utf8))
        var rest = [UInt8](repeating: 0, count: 10)
        #expect(try rest.withUnsafeMutableBytes { try again.read(into: $0) } == 2)
        #expect(try again.readSome(limit: 3).isEmpty)
    }

    @Test func errorsSayWhatCallersBranchOn() throws {
        #expect(throws: Failure(.notFound, "")) { _ = try Descriptor.open(scratch("absent"), O_RDONLY) }
        #expect(throws: Failure(.notFound, "")) { _ = try Descriptor.open(Array(scratch("").utf8) + [0], O_RDONLY) }
        let file = try Descriptor.open(scratch("file"), O_RDONLY | O_CREAT)
        #expect(throws: Failure(.exists, "")) { _ = try Descriptor.open(scratch("file"), O_CREAT | O_EXCL | O_RDWR) }
        let failure = #expect(throws: Failure(.failed, "")) { try file.write([1]) }
        #expect(failure?.description == "cannot write \(scratch("file")): Bad file descriptor")
        #expect(throws: Failure(.failed, "")) { try read(file, 1, at: .max) }
        let full = try Descriptor.open("/dev/full", O_WRONLY)
        #expect(throws: Failure(.full, "")) { try full.write([1]) }
    }

    @Test func aDescriptorIsClosedWhenItGoes() throws {
        let number: Int32
        do {
            let file = try Descriptor.open(scratch("file"), O_RDWR | O_CREAT)
            number = file.number
            #expect(readlink(number) == scratch("file"))
        }
        #expect(readlink(number) != scratch("file"))
    }

    /// Where a descriptor leads, as the kernel sees it; other tests may take the number at once.
    private func readlink(_ number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = Glibc.readlink("/proc/self/fd/\(number)", &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func holesAreFound() throws {
        let file = try Descriptor.open(scratch("sparse"), O_RDWR | O_CREAT)
        try file.truncate(to: 4 << 20)
        try [UInt8](repeating: 1, count: 4096).withUnsafeBytes { try file.write($0, at: 1 << 20) }
        #expect(try file.size() == 4 << 20)
        #expect(try file.seekData(from: 0) == 1 << 20)
        let hole = try #require(try file.seekHole(from: 1 << 20))
        #expect(hole >= 1 << 20 + 4096 && hole < 4 << 20)
        #expect(try file.seekData(from: hole) == nil)
        #expect(try file.seekHole(from: 5 << 20) == nil)
    }

    @Test func filesOpenBelowADirectoryWithAnyName() throws {
        let directory = try Directory(at: scratch.path)
        let name: [UInt8] = [0xff, 0x20, 0x0a, 0xe4]
        try directory.file(name, O_WRONLY | O_CREAT | O_EXCL).write([1, 2, 3])
        let file = try directory.file(name, O_RDONLY)
        #expect(try read(file, 10, at: 0) == [1, 2, 3])
        #expect(throws: Failure(.failed, "")) { _ = try directory.file(Array("../x".utf8), O_RDONLY) }
    }
}
