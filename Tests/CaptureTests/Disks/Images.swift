import Capture
import Foundation
import Glibc
import Platform
import Repository
import Support
import Testing

/// Images made and read by QEMU's own tools, in a directory of their own. Without them the tests fail.
final class Images {
    let directory: TemporaryDirectory
    var seed: Seed

    init(_ number: UInt64 = 1) throws {
        directory = try TemporaryDirectory("images")
        seed = Seed(number)
    }

    func callAsFunction(_ name: String) -> String { directory(name) }

    @discardableResult
    func image(_ arguments: String...) throws -> String { try run("qemu-img", arguments) }

    @discardableResult
    func run(_ program: String, _ arguments: [String]) throws -> String {
        String(
            decoding: try ChildProcess.run(
                program, arguments, directory: directory.path, scratch: directory.path, limit: .seconds(120)),
            as: UTF8.self)
    }

    /// An empty qcow2 image.
    func create(_ name: String, size: Int, _ options: String = "", on base: (name: String, format: String)? = nil)
        throws
    {
        var arguments = ["create", "-f", "qcow2"]
        if !options.isEmpty { arguments += ["-o", options] }
        if let base { arguments += ["-b", self(base.name), "-F", base.format] }
        try run("qemu-img", arguments + [self(name), "\(size)"])
    }

    /// Writes, zeros and discards at random, in pieces of up to `most` bytes, as a guest would.
    func scribble(_ name: String, size: Int, _ count: Int = 24, most: Int = 300_000) throws {
        var arguments = ["-f", "qcow2"]
        for _ in 0..<count {
            let isAligned = seed.below(2) == 0
            let length = isAligned ? (1 + seed.below(most / 4096)) * 4096 : (1 + seed.below(most / 512)) * 512
            let offset = seed.below(size - length) / (isAligned ? 4096 : 512) * (isAligned ? 4096 : 512)
            let place = "\(offset) \(length)"
            switch seed.below(8) {
            case 0: arguments += ["-c", "write -z \(place)"]
            case 1: arguments += ["-c", "write -z -u \(place)"]
            case 2: arguments += ["-c", "discard \(place)"]
            default: arguments += ["-c", "write -P \(1 + seed.below(255)) \(place)"]
            }
        }
        try run("qemu-io", arguments + [self(name)])
    }

    /// A raw image of text, noise and holes.
    func raw(_ name: String, size: Int) throws {
        let file = try Descriptor.open(self(name), O_WRONLY | O_CREAT | O_TRUNC)
        for piece in 0..<(size / 400_000 + 1) {
            let bytes = piece % 3 == 0 ? seed.bytes(1 + seed.below(90_000)) : seed.text(1 + seed.below(200_000))
            let offset = UInt64(seed.below(max(1, size - bytes.count)))
            try bytes.withUnsafeBytes { try file.write($0, at: offset) }
        }
        try file.truncate(to: UInt64(size))
        try file.close()
    }

    func write(_ bytes: [UInt8], _ name: String) throws {
        try Descriptor.open(self(name), O_WRONLY | O_CREAT | O_EXCL).write(bytes)
    }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: self(name)))) }

    /// Changes bytes of an image, by their place.
    func patch(_ name: String, _ places: (at: Int, bytes: [UInt8])...) throws {
        let file = try Descriptor.open(self(name), O_WRONLY)
        for place in places { try place.bytes.withUnsafeBytes { try file.write($0, at: UInt64(place.at)) } }
        try file.close()
    }

    /// What QEMU reads there.
    func converted(_ name: String) throws -> [UInt8] {
        let out = name + ".raw"
        try image("convert", "-f", "qcow2", "-O", "raw", self(name), self(out))
        return try bytes(out)
    }

    func open(
        _ name: String, as format: DiskFormat? = nil, backing: [String] = []
    ) throws -> any DiskSource {
        try DiskImage.open(AbsolutePath(self(name)), as: format, backing: backing.map { AbsolutePath(self($0)) })
    }

    /// Number of 64 or 32 bits, as an image has it.
    static func long(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) }
    }
    static func word(_ value: UInt32) -> [UInt8] { Array(long(UInt64(value)).suffix(4)) }
}

/// All that a source gives, by stretches of data as a capture asks for them, and by pieces that fit nothing.
func content(_ disk: any DiskSource) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(disk.size))
    var at: UInt64 = 0
    while at < disk.size, let data = try disk.nextData(in: at..<disk.size) {
        try #require(data.lowerBound >= at && data.upperBound <= disk.size && !data.isEmpty)
        try bytes.withUnsafeMutableBytes { buffer in
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(data.lowerBound)..<Int(data.upperBound)])
            try disk.read(at: data.lowerBound, into: room)
        }
        at = data.upperBound
    }
    return bytes
}

extension Estate {
    /// Captures a disk, and gives what its snapshot holds.
    func capture(_ disk: any DiskSource) throws -> (bytes: [UInt8], report: CaptureReport) {
        let session = try open().beginBackup()
        let (reference, report) = try DiskCapture.run(disk, into: session)
        let snapshot = try session.commit(
            .init(
                name: "disk", time: Timestamp(seconds: 1), host: "host",
                streams: [.init(label: "", content: .disk(reference), bytes: reference.size, files: 0)]))
        return (try restored(snapshot), report)
    }

    func restored(_ snapshot: Snapshot) throws -> [UInt8] {
        guard case .disk(let disk) = snapshot.part.streams[0].content else { throw Failure(.failed, "no disk") }
        let reader = DiskReader(try SnapshotReader(try open(), snapshot), disk)
        var bytes = [UInt8](repeating: 1, count: Int(reader.size))
        try bytes.withUnsafeMutableBytes { try reader.read(at: 0, into: $0) }
        return bytes
    }
}
