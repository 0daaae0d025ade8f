internal import CLinux
internal import Glibc

/// One name in a directory, as the directory itself lists it.
package struct DirectoryEntry: Sendable, Equatable {
    package var name: [UInt8]
    /// What the directory says the entry is; `.unknown` where the file system does not say.
    package var kind: FileStatus.Kind

    package init(name: [UInt8], kind: FileStatus.Kind) {
        self.name = name
        self.kind = kind
    }
}

extension Directory {
    /// Every entry but `.` and `..`, in no order.
    package func entries() throws(Failure) -> [DirectoryEntry] {
        var found: [DirectoryEntry] = []
        try list { found.append($0) }
        return found
    }

    /// The first `limit` entries after `name`, ordered by the bytes of the names: a directory of any size, a piece at a
    /// time. At most twice `limit` entries are held, and the directory is read once a piece.
    package func sortedEntries(after name: [UInt8]?, limit: Int) throws(Failure) -> [DirectoryEntry] {
        precondition(limit > 0)
        var found: [DirectoryEntry] = []
        // Nothing from here on is among the first.
        var bound: [UInt8]?
        func cut() {
            found.sort { $0.name.lexicographicallyPrecedes($1.name) }
            guard found.count > limit else { return }
            found.removeSubrange(limit...)
            bound = found.last?.name
        }
        try list { entry in
            if let name, !name.lexicographicallyPrecedes(entry.name) { return }
            if let bound, !entry.name.lexicographicallyPrecedes(bound) { return }
            found.append(entry)
            if found.count >= limit * 2 { cut() }
        }
        cut()
        return found
    }

    /// Calls `take` with every entry but `.` and `..`, in no order.
    private func list(_ take: (DirectoryEntry) -> Void) throws(Failure) {
        let reader = unsafe openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if reader < 0 { throw Failure.system(errno, "cannot read the directory \(label)") }
        defer { close(reader) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)
        defer { unsafe buffer.deallocate() }
        while true {
            let count = unsafe linux_list(reader, buffer.baseAddress, UInt(buffer.count))
            if count == 0 { return }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure.system(errno, "cannot read the directory \(label)")
            }
            unsafe Self.parse(UnsafeRawBufferPointer(rebasing: buffer[0..<count]), take)
        }
    }

    /// Every entry but `.` and `..`, ordered by the bytes of the names.
    package func sortedEntries() throws(Failure) -> [DirectoryEntry] {
        var found = try entries()
        found.sort { $0.name.lexicographicallyPrecedes($1.name) }
        return found
    }

    /// struct linux_dirent64: inode (8), offset (8), record length (2), type (1), name with a NUL at its end.
    private static func parse(_ records: UnsafeRawBufferPointer, _ take: (DirectoryEntry) -> Void) {
        var at = 0
        while at + 19 < records.count {
            let length = Int(unsafe records.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
            guard length > 19, at + length <= records.count else { return }
            let type = unsafe records[at + 18]
            let field = unsafe records[(at + 19)..<(at + length)]
            let name = unsafe Array(field.prefix { $0 != 0 })
            at += length
            let dot = UInt8(ascii: ".")
            if name == [dot] || name == [dot, dot] || name.isEmpty { continue }
            take(DirectoryEntry(name: name, kind: kind(type)))
        }
    }

    private static func kind(_ type: UInt8) -> FileStatus.Kind {
        switch Int(type) {
        case Int(DT_REG): .file
        case Int(DT_DIR): .directory
        case Int(DT_LNK): .symbolicLink
        case Int(DT_FIFO): .fifo
        case Int(DT_SOCK): .socket
        case Int(DT_BLK): .blockDevice
        case Int(DT_CHR): .characterDevice
        default: .unknown
        }
    }
}
