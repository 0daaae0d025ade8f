internal import Glibc

/// What `fstatat` says about a file, with the symbolic link at its end not followed.
package struct FileStatus: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case file, directory, symbolicLink, fifo, socket, blockDevice, characterDevice, unknown
    }

    package var kind: Kind
    /// The lower twelve bits: permissions, setuid, setgid, sticky.
    package var mode: UInt32
    package var owner: UInt32
    package var group: UInt32
    package var size: UInt64
    /// Bytes that lie on the disk: fewer than `size` for a file with holes.
    package var allocated: UInt64
    package var modifiedSeconds: Int64
    package var modifiedNanoseconds: UInt32
    package var changedSeconds: Int64
    package var changedNanoseconds: UInt32
    /// The number of a device node.
    package var device: UInt64
    /// Of the file system the file lies on.
    package var fileSystem: UInt64
    package var inode: UInt64
    package var links: UInt64

    /// Of an open file.
    package init(of file: Int32, label: String) throws(Failure) {
        var raw = stat()
        if unsafe fstat(file, &raw) != 0 { throw Failure.system(errno, "cannot look at \(label)") }
        self.init(raw)
    }

    init(_ raw: stat) {
        kind =
            switch raw.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            case S_IFBLK: .blockDevice
            case S_IFCHR: .characterDevice
            default: .unknown
            }
        mode = UInt32(raw.st_mode & 0o7777)
        owner = raw.st_uid
        group = raw.st_gid
        size = UInt64(clamping: raw.st_size)
        allocated = UInt64(clamping: raw.st_blocks) &* 512
        modifiedSeconds = Int64(raw.st_mtim.tv_sec)
        modifiedNanoseconds = UInt32(clamping: raw.st_mtim.tv_nsec)
        changedSeconds = Int64(raw.st_ctim.tv_sec)
        changedNanoseconds = UInt32(clamping: raw.st_ctim.tv_nsec)
        device = UInt64(raw.st_rdev)
        fileSystem = UInt64(raw.st_dev)
        inode = UInt64(raw.st_ino)
        links = UInt64(raw.st_nlink)
    }
}
