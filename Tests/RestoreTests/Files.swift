import Glibc
import Platform

func write(_ bytes: [UInt8], _ path: String) throws {
    try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644).write(bytes)
}

func exists(_ path: String) -> Bool {
    var raw = stat()
    return lstat(path, &raw) == 0
}

func read(_ path: String) throws -> [UInt8] {
    let file = try Descriptor.open(path, O_RDONLY)
    var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return Array(bytes.prefix(count))
}
