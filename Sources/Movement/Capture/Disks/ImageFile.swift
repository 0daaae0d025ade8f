import Glibc
import Platform

/// The file, or the block device, that an image lies in. It is expected to stand still while it is read.
final class ImageFile {
    let path: AbsolutePath
    /// In bytes, when it was opened.
    let size: UInt64
    private let file: Descriptor
    private let before: FileStatus

    /// - Throws: `.notFound`; `.usage` for what is neither a file nor a block device.
    init(_ path: AbsolutePath) throws(Failure) {
        let number = unsafe Name.with(path.bytes) { unsafe open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard number >= 0 else { throw Failure.system(errno, "cannot open the disk \(path)") }
        let file = Descriptor(owning: number, label: path.description)
        let status = try FileStatus(of: number, label: file.label)
        guard status.kind == .file || status.kind == .blockDevice else {
            throw Failure(
                .usage, "\(path) is neither a disk image nor a block device",
                advice: "Directories and files are named as PATH, without --disk")
        }
        size = try file.size()
        before = status
        self.path = path
        self.file = file
    }

    /// Fills `target`.
    /// - Throws: `.failed` where the file ends before, or cannot be read: a disk with a piece missing is not a disk.
    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        guard try unsafe file.read(into: target, at: offset) == target.count else {
            throw Failure(.failed, "\(path) became shorter while it was read", advice: "Run the backup again")
        }
    }

    func bytes(at offset: UInt64, count: Int) throws(Failure) -> [UInt8] {
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(Failure) {
                try unsafe read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
                filled = count
            } catch { problem = error }
        }
        if let problem { throw problem }
        return bytes
    }

    func begins(with magic: [UInt8]) throws(Failure) -> Bool {
        guard size >= UInt64(magic.count) else { return false }
        return try bytes(at: 0, count: magic.count) == magic
    }

    /// The first stretch within `range`, which lies within the file, that is not in a hole.
    func nextData(in range: Range<UInt64>) throws(Failure) -> Range<UInt64>? {
        guard !range.isEmpty else { return nil }
        // A block device has no holes to ask for.
        guard before.kind == .file else { return range }
        guard let data = try file.seekData(from: range.lowerBound), data < range.upperBound else { return nil }
        let hole = try file.seekHole(from: data) ?? range.upperBound
        return data..<max(data + 1, min(hole, range.upperBound))
    }

    /// Whether it is another than when it was opened; of a device, nobody can tell.
    func hasChanged() throws(Failure) -> Bool {
        guard before.kind == .file else { return false }
        return try FileIdentity(FileStatus(of: file.number, label: file.label)) != FileIdentity(before)
    }
}
