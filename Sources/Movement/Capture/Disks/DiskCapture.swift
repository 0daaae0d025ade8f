import Platform
package import Repository
import Sealing

/// Captures a disk into a session: aligned blocks of 64 KiB, of which those that are all zeros are not stored and those
/// that its image does not hold are not even read.
///
/// The image is expected to stand still. When a file of it changed while it was read the report says so: such a
/// snapshot is one that no disk ever was.
package enum DiskCapture {
    /// Read at once: whole blocks.
    private static let window = 16 * DiskRef.blockSize

    /// - Parameters:
    ///   - changes: what tells which blocks are as they were; nil to read them all. Where the earlier snapshot cannot be
    ///     read, all are read after all, and the report says why.
    ///   - memory: told which chunk each block is.
    ///   - watch: called for every MiB read; what it throws ends the capture.
    /// - Throws: `.damaged` when the image makes no sense; `.failed` when a place of it cannot be read (a disk with a
    ///   piece missing is not a disk); what the session throws.
    package static func run(
        _ disk: any DiskSource, into session: BackupSession, since changes: DiskChanges? = nil,
        memory: DiskMemory? = nil, watch: (@Sendable (CaptureReport) throws -> Void)? = nil
    ) throws -> (disk: DiskRef, report: CaptureReport) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: window, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        func writer() throws -> DiskWriter { try DiskWriter(session, size: disk.size, note: memory?.note) }
        var report = CaptureReport()
        if let changes {
            var copy = unsafe Copy(disk, writer: try writer(), buffer, watch)
            guard let lost = try copy.take(changes) else { return try copy.finish() }
            report.bytesRead = copy.report.bytesRead
            report.wholeRead = lost
            memory?.giveUp()
        }
        var copy = unsafe Copy(disk, writer: try writer(), buffer, watch)
        copy.report = report
        try copy.read(0..<disk.size)
        return try copy.finish()
    }

    /// A disk on its way into a session.
    @safe private struct Copy: ~Copyable {
        private static let block = UInt64(DiskRef.blockSize)
        /// Of blocks that are taken over, so many go between two looks at whether to go on.
        private static let watched: UInt64 = 1024

        private let disk: any DiskSource
        private var writer: DiskWriter
        private let buffer: UnsafeMutableRawBufferPointer
        private let watch: (@Sendable (CaptureReport) throws -> Void)?
        var report = CaptureReport()

        init(
            _ disk: any DiskSource, writer: consuming DiskWriter, _ buffer: UnsafeMutableRawBufferPointer,
            _ watch: (@Sendable (CaptureReport) throws -> Void)?
        ) {
            self.disk = disk
            self.writer = writer
            self.watch = watch
            unsafe self.buffer = buffer
        }

        /// Reads what may have changed, and takes the rest over from the earlier snapshot. A block of that which may not be
        /// leant on is read, too.
        /// - Returns: why the earlier snapshot does not tell its blocks, when it does not; then all is to be read.
        mutating func take(_ changes: DiskChanges) throws -> Failure? {
            var rest = changes.map.changed[...]
            var end: UInt64 = 0
            var problem: (any Error)?
            do {
                try changes.earlier.forEachBlock { block, id in
                    do {
                        let at = block * Self.block
                        while let next = rest.first, next.lowerBound <= at {
                            try read(next)
                            end = next.upperBound
                            rest.removeFirst()
                        }
                        if at >= end { try inherit(block, id) }
                    } catch {
                        problem = error
                        throw error
                    }
                }
            } catch {
                // What went wrong with the disk or the session does so whichever way the disk is captured.
                guard problem == nil, let failure = error as? Failure else { throw error }
                return failure
            }
            for next in rest { try read(next) }
            return nil
        }

        private mutating func inherit(_ block: UInt64, _ id: ChunkID) throws {
            let at = block * Self.block
            let length = min(Self.block, disk.size - at)
            guard try writer.inherit(block, id) else { return try read(at..<at + length) }
            report.bytesInherited += length
            if block % Self.watched == 0 { try watch?(report) }
        }

        /// Stores what a stretch of whole blocks holds.
        mutating func read(_ stretch: Range<UInt64>) throws {
            var at = stretch.lowerBound
            while at < stretch.upperBound, let data = try disk.nextData(in: at..<stretch.upperBound) {
                at = max(at, data.lowerBound / Self.block * Self.block)
                let end = min((data.upperBound + Self.block - 1) / Self.block * Self.block, stretch.upperBound)
                while at < end {
                    let count = Int(min(UInt64(window), end - at))
                    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                    try unsafe disk.read(at: at, into: room)
                    try unsafe writer.put(at / Self.block, UnsafeRawBufferPointer(room))
                    at += UInt64(count)
                    report.bytesRead += UInt64(count)
                    try watch?(report)
                }
            }
        }

        consuming func finish() throws -> (disk: DiskRef, report: CaptureReport) {
            report.files = 1
            report.bytes = disk.size
            for file in try disk.changedFiles() { report.warn(.changed, file.description) }
            return (try writer.finish(), report)
        }
    }
}
