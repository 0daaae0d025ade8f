import Glibc
import Platform
import Repository

/// A failure of the source, told from one of the session: the first is reported, the second ends the capture.
struct SourceProblem: Error {
    var failure: Failure
}

extension TreeCapture {
    /// A file that changed while it was read is read again; one that changed every time is marked.
    private static let attempts = 3

    /// 3. A file: nil when it cannot be read or is gone.
    func file(_ name: [UInt8], _ seen: FileStatus, in parent: borrowing Directory) throws -> TreeEntry? {
        let path = parent.describe(name)
        if links.number(seen) != 0, var known = links.stored(seen) {
            known.name = name
            report.files += 1
            return known
        }
        if let known = options.memory?.recall(FileIdentity(seen), session) {
            return finish(Self.entry(name, .file, seen, known.attributes, content: known.content), seen)
        }
        let opened = open(name, seen, in: parent, O_RDONLY)
        guard opened >= 0 else {
            warn(-opened, path)
            return nil
        }
        let file = Descriptor(owning: opened, label: path)
        var status = try FileStatus(of: opened, label: path)
        guard status.kind == .file else {
            report.warn(.vanished, path, "it became something else while it was looked at")
            return nil
        }
        var content: ContentRef
        var isChanged: Bool
        var attempt = 0
        repeat {
            attempt += 1
            options.memory?.begin()
            do {
                content = try store(file, status)
            } catch let problem as SourceProblem {
                report.warn(.unreadable, path, problem.failure.what)
                return nil
            }
            let after = try FileStatus(of: opened, label: path)
            isChanged = FileIdentity(after) != FileIdentity(status) || content.length != status.size
            if isChanged, attempt < Self.attempts { status = after }
        } while isChanged && attempt < Self.attempts
        if isChanged { report.warn(.changed, path, "read \(attempt) times") }
        let unreadable = report.unreadable
        let attributes = extended(FileAttributes(of: opened, located: false, label: path), path)
        if !isChanged && report.unreadable == unreadable {
            options.memory?.remember(FileIdentity(status), content, attributes)
        }
        var entry = Self.entry(name, .file, status, attributes, content: content)
        entry.changedWhileRead = isChanged
        return finish(entry, status)
    }

    private func finish(_ entry: TreeEntry, _ status: FileStatus) -> TreeEntry {
        var entry = entry
        entry.link = links.number(status)
        links.keep(status, entry)
        report.files += 1
        report.bytes += entry.size
        return entry
    }

    /// Stores the first `status.size` bytes: a file that grows meanwhile is not chased. Holes are asked for where
    /// fewer bytes lie on the disk than the file is long.
    private func store(_ file: borrowing Descriptor, _ status: FileStatus) throws -> ContentRef {
        guard status.size > 0 else { return .empty }
        let memory = options.memory
        var writer = session.makeContentWriter(.data, note: memory.map { memory in { memory.note($0) } })
        var at: UInt64 = 0
        if status.allocated >= status.size {
            try read(file, from: &at, to: status.size, into: &writer)
            return try writer.finish()
        }
        while at < status.size {
            let data = min(try source { () throws(Failure) in try file.seekData(from: at) } ?? status.size, status.size)
            if data > at {
                try writer.hole(data - at)
                at = data
                continue
            }
            let end = min(try source { () throws(Failure) in try file.seekHole(from: at) } ?? status.size, status.size)
            guard end > at, try read(file, from: &at, to: end, into: &writer) else { break }
        }
        return try writer.finish()
    }

    /// Reads up to `end`; false when the file ends before.
    @discardableResult
    private func read(
        _ file: borrowing Descriptor, from at: inout UInt64, to end: UInt64, into writer: inout ContentWriter
    ) throws -> Bool {
        while at < end {
            let (offset, left) = (at, end - at)
            let count = try unsafe writer.fill { buffer in
                let room = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: buffer.prefix(Int(min(left, UInt64(buffer.count)))))
                do throws(Failure) {
                    return try unsafe file.read(into: room, at: offset)
                } catch {
                    throw SourceProblem(failure: error)
                }
            }
            if count == 0 { return false }
            at += UInt64(count)
            report.bytesRead += UInt64(count)
            if at < end { try options.watch?(report) }
        }
        return true
    }

    private func source<Result>(_ body: () throws(Failure) -> Result) throws -> Result {
        do { return try body() } catch { throw SourceProblem(failure: error) }
    }
}
