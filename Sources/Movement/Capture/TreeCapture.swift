import Glibc
package import Platform
package import Repository

/// Captures file trees into a session: walks them, stores the content of files and the entries of directories, and
/// gives back the root of the snapshot, which holds the absolute paths that were named.
///
/// 1. The paths are made a forest (`PathForest`). Symbolic links on the way to a named path are followed, as the
///    person did who named it; at its end and below it none is ever followed.
/// 2. A directory is opened relative to its parent, its names are read and sorted. Its own content is written once
///    that of its subdirectories is (their references are part of it).
/// 3. A file is opened without following links or blocking, and looked at before and after it is read.
/// 4. What cannot be read is reported and left out; the rest goes on. What the session cannot store ends the capture.
///
/// The source is alive: every step allows for what it is about to open having vanished, grown, or become something
/// else since the step before.
package final class TreeCapture {
    let session: BackupSession
    let options: CaptureOptions
    var report = CaptureReport()
    var links = LinkGroups()
    private var scope: ExcludeScope
    private var leftOut: Set<Place> = []
    private let user = geteuid()

    private struct Place: Hashable {
        var fileSystem: UInt64
        var inode: UInt64
        init(_ status: FileStatus) { (fileSystem, inode) = (status.fileSystem, status.inode) }
    }

    /// Directories within directories beyond this are reported, not captured: each holds an open file.
    private static let deepest = 2000

    package init(into session: BackupSession, options: CaptureOptions = CaptureOptions()) {
        self.session = session
        self.options = options
        scope = ExcludeScope(options.exclude)
    }

    /// Captures the paths.
    /// - Throws: `.notFound` or `.failed` before anything is stored when no path can be reached; what the session or
    ///   `options.watch` throws. When some can be reached, those that cannot are reported.
    package func run(_ paths: [AbsolutePath]) throws -> (root: ContentRef, report: CaptureReport) {
        guard !paths.isEmpty else {
            throw Failure(.usage, "no path to capture was given", advice: "Name files or directories")
        }
        OpenFileLimit.raise()
        let paths = try found(paths)
        for path in options.leaveOut {
            if let directory = try? Directory(at: path.bytes) { leftOut.insert(Place(try directory.status())) }
        }
        let forest = PathForest(paths)
        let root = try Directory(at: "/")
        let content = forest.root.isWhole ? try whole(of: root) : try selection(forest.root, in: root)
        return (content, report)
    }

    /// The paths that are there; the others are reported.
    private func found(_ paths: [AbsolutePath]) throws(Failure) -> [AbsolutePath] {
        var problem: Failure?
        let found = paths.filter { path in
            let number = unsafe Name.with(path.bytes) {
                unsafe Glibc.open($0, Directory.locating | O_NOFOLLOW | O_CLOEXEC)
            }
            if number >= 0 {
                close(number)
                return true
            }
            report.warn(.unreadable, path.description, String(systemError: errno))
            problem = problem ?? Failure.system(errno, "cannot capture \(path)")
            return false
        }
        guard found.isEmpty, var problem else { return found }
        if problem.code != .notFound { problem.code = .failed }
        throw problem
    }

    // MARK: - 1. On the way to the named paths

    private func selection(_ node: PathForest.Node, in directory: borrowing Directory) throws -> ContentRef {
        var content = session.makeContentWriter(.tree)
        for (name, child) in node.ordered {
            let entry =
                child.isWhole
                ? try entry(name, in: directory, on: nil, depth: 1) : try passage(name, child, in: directory)
            if let entry { try content.append(entry.framed) }
        }
        return try content.finish()
    }

    /// A directory that only leads to what was named.
    private func passage(_ name: [UInt8], _ node: PathForest.Node, in parent: borrowing Directory) throws -> TreeEntry?
    {
        let flags = Directory.locating | O_DIRECTORY | O_CLOEXEC
        let parentNumber = parent.number
        let number = unsafe Name.with(name) { unsafe openat(parentNumber, $0, flags) }
        guard number >= 0 else {
            report.warn(.unreadable, parent.describe(name), String(systemError: errno))
            return nil
        }
        let directory = Directory(owning: number, label: parent.describe(name))
        let status = try directory.status()
        let content = try selection(node, in: directory)
        let attributes = extended(FileAttributes(of: number, located: true, label: directory.label), directory.label)
        report.directories += 1
        return Self.entry(name, .directory, status, attributes, content: content)
    }

    // MARK: - 2. Directories

    private func whole(of directory: borrowing Directory) throws -> ContentRef {
        scope.begin()
        return try entries(of: directory, depth: 0)
    }

    private func entries(of directory: borrowing Directory, depth: Int) throws -> ContentRef {
        let fileSystem = try directory.status().fileSystem
        let isCache = options.excludeCaches && ExcludeFiles.isCache(directory)
        readPatterns(of: directory)
        var content = session.makeContentWriter(.tree)
        var last: [UInt8]?
        while true {
            let listed: [DirectoryEntry]
            do {
                listed = try directory.sortedEntries(after: last, limit: options.namesAtOnce)
            } catch {
                report.warn(.unreadable, directory.label, error.what)
                break
            }
            if last == nil { report.listed += 1 }
            for found in listed {
                if isCache ? found.name != ExcludeFiles.cacheTag : leavesOut(found, in: directory) {
                    report.exclude(directory.describe(found.name))
                } else if let entry = try entry(found.name, in: directory, on: fileSystem, depth: depth + 1) {
                    try content.append(entry.framed)
                    try options.watch?(report)
                }
            }
            if listed.count < options.namesAtOnce { break }
            last = listed.last?.name
        }
        return try content.finish()
    }

    /// What a `.breakwaterignore` says of the directory it lies in. One that cannot be read leaves out nothing: it is
    /// itself captured, and reported then.
    private func readPatterns(of directory: borrowing Directory) {
        let limit = ExcludeList.longestFile + 1
        let path = directory.describe(ExcludeFiles.patterns)
        do {
            guard let bytes = try ExcludeFiles.read(ExcludeFiles.patterns, in: directory, atMost: limit) else { return }
            let list = try ExcludeList(file: bytes)
            scope.add(list)
            guard let first = list.wrongLines.first else { return }
            report.warn(.skipped, path, "line \(first) is no pattern and leaves out nothing")
        } catch {
            report.warn(.skipped, path, "as a file of patterns: \(error.what); it leaves out nothing")
        }
    }

    private func leavesOut(_ found: DirectoryEntry, in directory: borrowing Directory) -> Bool {
        guard !scope.isEmpty else { return false }
        var kind = found.kind
        if kind == .unknown, let status = try? directory.status(of: found.name) { kind = status.kind }
        return scope.leavesOut(found.name, isDirectory: kind == .directory)
    }

    /// One name, with all below it. Nil when there is nothing to store.
    /// - Parameter fileSystem: that of the parent; nil for a path that was named, which is captured wherever it lies.
    private func entry(
        _ name: [UInt8], in parent: borrowing Directory, on fileSystem: UInt64?, depth: Int
    ) throws -> TreeEntry? {
        let status: FileStatus
        do {
            guard let found = try parent.status(of: name) else {
                report.warn(.vanished, parent.describe(name))
                return nil
            }
            status = found
        } catch {
            report.warn(.unreadable, parent.describe(name), error.what)
            return nil
        }
        switch status.kind {
        case .directory: return try directory(name, status, in: parent, on: fileSystem, depth: depth)
        case .file: return try file(name, status, in: parent)
        case .symbolicLink, .fifo, .socket, .blockDevice, .characterDevice:
            return other(name, status, in: parent)
        case .unknown:
            report.warn(.unreadable, parent.describe(name), "it is of a kind that is not known")
            return nil
        }
    }

    private func directory(
        _ name: [UInt8], _ seen: FileStatus, in parent: borrowing Directory, on fileSystem: UInt64?, depth: Int
    ) throws -> TreeEntry? {
        if leftOut.contains(Place(seen)) {
            report.warn(.skipped, parent.describe(name), "a backup does not store the vault that it goes to")
            return nil
        }
        let opened = open(name, seen, in: parent, O_RDONLY | O_DIRECTORY)
        guard opened >= 0 else {
            warn(-opened, parent.describe(name))
            // Its name and rights are kept, so that it is there after a restore; its content is reported.
            report.directories += 1
            var entry = Self.entry(name, .directory, seen, [], content: .empty)
            entry.changedWhileRead = true
            return -opened == ENOENT ? nil : entry
        }
        let directory = Directory(owning: opened, label: parent.describe(name))
        let status = try directory.status()
        var content = ContentRef.empty
        if depth > Self.deepest {
            report.warn(.unreadable, directory.label, "more than \(Self.deepest) directories lie within each other")
        } else if let fileSystem, status.fileSystem != fileSystem, FileSystemKind.isPseudo(opened) {
            report.warn(.skipped, directory.label, "a pseudo file system is mounted there")
        } else if let fileSystem, status.fileSystem != fileSystem, options.oneFileSystem {
            report.warn(.skipped, directory.label, "another file system is mounted there")
        } else {
            if fileSystem == nil { scope.begin() } else { scope.enter(name) }
            content = try entries(of: directory, depth: depth)
            if fileSystem != nil { scope.leave() }
        }
        report.directories += 1
        let attributes = extended(FileAttributes(of: opened, located: false, label: directory.label), directory.label)
        return Self.entry(name, .directory, status, attributes, content: content)
    }

    // MARK: - What is neither file nor directory

    private func other(_ name: [UInt8], _ seen: FileStatus, in parent: borrowing Directory) -> TreeEntry? {
        let path = parent.describe(name)
        if links.number(seen) != 0, var known = links.stored(seen) {
            known.name = name
            report.others += 1
            return known
        }
        // Located, not opened: opening a FIFO or a device has effects.
        let number = parent.tryOpenBeneath(name, flags: Directory.locating | O_NOFOLLOW)
        guard number >= 0 else {
            warn(-number, path)
            return nil
        }
        defer { close(number) }
        guard let status = try? FileStatus(of: number, label: path), let kind = Self.kind(status.kind),
            status.kind == seen.kind
        else {
            report.warn(.vanished, path, "it became something else while it was looked at")
            return nil
        }
        let attributes = extended(FileAttributes(of: number, located: true, label: path), path)
        var entry = Self.entry(name, kind, status, attributes, content: nil)
        if kind == .symbolicLink {
            do {
                entry.target = try parent.target(of: name)
            } catch {
                report.warn(error.code == .notFound ? .vanished : .unreadable, path, error.what)
                return nil
            }
        }
        if kind == .blockDevice || kind == .characterDevice { entry.device = status.device }
        entry.link = links.number(status)
        links.keep(status, entry)
        report.others += 1
        return entry
    }

    // MARK: - What all kinds share

    /// Opens without following links, blocking, or, where that is allowed, changing the time of last access.
    /// A negative error number when it fails.
    func open(_ name: [UInt8], _ status: FileStatus, in parent: borrowing Directory, _ flags: Int32) -> Int32 {
        let flags = flags | O_NOFOLLOW | O_NONBLOCK
        if user == 0 || status.owner == user {
            let number = parent.tryOpenBeneath(name, flags: flags | Directory.withoutAccessTime)
            if number != -EPERM { return number }
        }
        return parent.tryOpenBeneath(name, flags: flags)
    }

    func warn(_ number: Int32, _ path: String) {
        report.warn(number == ENOENT ? .vanished : .unreadable, path, String(systemError: number))
    }

    /// Attributes that belong to the file: not those that a network file system makes up.
    func extended(_ file: FileAttributes, _ path: String) -> [TreeEntry.ExtendedAttribute] {
        do {
            return try file.extended().compactMap { attribute in
                let name = String(decoding: attribute.name, as: UTF8.self)
                if name.hasPrefix("system.") && !name.hasPrefix("system.posix_acl_") { return nil }
                return TreeEntry.ExtendedAttribute(name: attribute.name, value: attribute.value)
            }
        } catch {
            report.warn(.unreadable, path, error.what)
            return []
        }
    }

    private static func kind(_ kind: FileStatus.Kind) -> TreeEntry.Kind? {
        switch kind {
        case .file: .file
        case .directory: .directory
        case .symbolicLink: .symbolicLink
        case .fifo: .fifo
        case .socket: .socket
        case .blockDevice: .blockDevice
        case .characterDevice: .characterDevice
        case .unknown: nil
        }
    }

    static func entry(
        _ name: [UInt8], _ kind: TreeEntry.Kind, _ status: FileStatus, _ attributes: [TreeEntry.ExtendedAttribute],
        content: ContentRef?
    ) -> TreeEntry {
        TreeEntry(
            name: name, kind: kind, mode: status.mode, owner: status.owner, group: status.group,
            modified: TreeEntry.Time(seconds: status.modifiedSeconds, nanoseconds: status.modifiedNanoseconds),
            size: kind == .file ? content?.length ?? 0 : 0, extendedAttributes: attributes, content: content)
    }
}
