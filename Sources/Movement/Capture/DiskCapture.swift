import Glibc
package import Platform
package import Repository

/// Captures a raw disk image, or a block device, into a session: aligned blocks of 64 KiB, of which those that are
/// all zeros are not stored and those that lie in a hole of the file are not even read.
///
/// The image is expected to stand still. When the file changed while it was read the report says so: such a
/// snapshot is one that no disk ever was.
package enum DiskCapture {
    /// Read at once: whole blocks.
    private static let window = 16 * DiskRef.blockSize

    /// - Parameter watch: called for every MiB read; what it throws ends the capture.
    /// - Throws: `.notFound`; `.usage` for what is neither a file nor a block device; `.failed` when a place of the
    ///   disk cannot be read (a disk with a piece missing is not a disk); what the session throws.
    package static func run(
        _ path: AbsolutePath, into session: BackupSession, watch: (@Sendable (CaptureReport) throws -> Void)? = nil
    ) throws -> (disk: DiskRef, report: CaptureReport) {
        let number = unsafe Name.with(path.bytes) { unsafe open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard number >= 0 else { throw Failure.system(errno, "cannot open the disk \(path)") }
        let file = Descriptor(owning: number, label: path.description)
        let before = try FileStatus(of: number, label: file.label)
        guard before.kind == .file || before.kind == .blockDevice else {
            throw Failure(
                .usage, "\(path) is neither a disk image nor a block device",
                advice: "Directories and files are named as PATH, without --disk")
        }
        let size = try file.size()
        var report = CaptureReport()
        var writer = try DiskWriter(session, size: size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: window, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var at: UInt64 = 0
        while let extent = try nextData(file, from: at, size: size, isFile: before.kind == .file) {
            at = extent.lowerBound
            while at < extent.upperBound {
                let count = Int(min(UInt64(window), extent.upperBound - at))
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                guard try unsafe file.read(into: room, at: at) == count else {
                    throw Failure(.failed, "\(path) became shorter while it was read", advice: "Run the backup again")
                }
                try unsafe put(UnsafeRawBufferPointer(room), at: at, into: &writer)
                at += UInt64(count)
                report.bytesRead += UInt64(count)
                try watch?(report)
            }
        }
        report.files = 1
        report.bytes = size
        if before.kind == .file, try FileIdentity(FileStatus(of: number, label: file.label)) != FileIdentity(before) {
            report.warn(.changed, file.label)
        }
        return (try writer.finish(), report)
    }

    private static func put(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, into writer: inout DiskWriter) throws {
        var done = 0
        while done < bytes.count {
            let end = min(done + DiskRef.blockSize, bytes.count)
            let block = (offset + UInt64(done)) / UInt64(DiskRef.blockSize)
            try unsafe writer.put(block, UnsafeRawBufferPointer(rebasing: bytes[done..<end]))
            done = end
        }
    }

    /// The next stretch of whole blocks that holds data, or nil when only holes are left.
    private static func nextData(
        _ file: borrowing Descriptor, from: UInt64, size: UInt64, isFile: Bool
    ) throws(Failure) -> Range<UInt64>? {
        guard from < size else { return nil }
        // A block device has no holes to ask for.
        guard isFile else { return from..<size }
        guard let data = try file.seekData(from: from), data < size else { return nil }
        let hole = min(try file.seekHole(from: data) ?? size, size)
        let block = UInt64(DiskRef.blockSize)
        let start = max(from, data / block * block)
        let (end, isPast) = hole.addingReportingOverflow(block - 1)
        return start..<(isPast ? size : min(end / block * block, size))
    }
}
