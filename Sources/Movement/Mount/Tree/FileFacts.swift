import Glibc
import Repository
import Sealing

/// What stat(2) says of a file.
struct FileFacts {
    var inode: UInt64
    var size: UInt64 = 0
    /// Of 512 bytes: fewer than the size takes when there are holes, which tells programs to look for them.
    var blocks: UInt64 = 0
    var modified: TreeEntry.Time
    /// With the kind of the file.
    var mode: UInt32
    var links: UInt32 = 1
    var owner: UInt32
    var group: UInt32
    var device: UInt64 = 0

    /// The kind as readdir(3) says it.
    var type: UInt32 { (mode & UInt32(S_IFMT)) >> 12 }
}

extension FileFacts {
    init(_ entry: TreeEntry, inode: UInt64) {
        self.inode = inode
        modified = entry.modified
        mode = entry.mode | entry.kind.bits
        owner = entry.owner
        group = entry.group
        device = entry.device
        // How many names there are is not known; that there are several is what programs ask.
        links = entry.link == 0 || entry.kind == .directory ? 1 : 2
        switch entry.kind {
        case .file:
            size = entry.size
            // Holes that lists further down hold count as data: finding those would mean reading them.
            let data = (entry.content?.chunks ?? []).reduce(UInt64(0)) { $1.id == .hole ? $0 : $0 + $1.length }
            blocks = data / 512 + (data % 512 == 0 ? 0 : 1)
        case .symbolicLink: size = UInt64(entry.target.count)
        default: break
        }
    }
}

extension TreeEntry.Kind {
    /// The kind among the bits of a mode.
    var bits: UInt32 {
        let bits =
            switch self {
            case .file: S_IFREG
            case .directory: S_IFDIR
            case .symbolicLink: S_IFLNK
            case .fifo: S_IFIFO
            case .socket: S_IFSOCK
            case .blockDevice: S_IFBLK
            case .characterDevice: S_IFCHR
            }
        return UInt32(bits)
    }
}
