import Glibc
import Platform
import Repository

/// Whether an image holds the very bytes of a snapshot's disk.
enum DiskComparison {
    private static let piece = 1 << 20

    /// - Parameter goOn: called for every piece; what it throws ends the comparison.
    static func isSame(_ disk: DiskReader, _ path: String, _ goOn: () throws -> Void) throws -> Bool {
        let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        guard try file.status().st_mode & S_IFMT == S_IFREG, try file.size() == disk.size else { return false }
        var (ours, theirs) = ([UInt8](repeating: 0, count: piece), [UInt8](repeating: 0, count: piece))
        var at: UInt64 = 0
        while at < disk.size {
            try goOn()
            let count = Int(min(UInt64(piece), disk.size - at))
            let isSame = try unsafe ours.withUnsafeMutableBytes { expected in
                try unsafe theirs.withUnsafeMutableBytes { found in
                    let expected = unsafe UnsafeMutableRawBufferPointer(rebasing: expected[..<count])
                    let found = unsafe UnsafeMutableRawBufferPointer(rebasing: found[..<count])
                    unsafe try disk.read(at: at, into: expected)
                    guard unsafe try file.read(into: found, at: at) == count else { return false }
                    guard let left = expected.baseAddress, let right = found.baseAddress else { return true }
                    return unsafe memcmp(left, right, count) == 0
                }
            }
            if !isSame { return false }
            at += UInt64(count)
        }
        return true
    }
}
