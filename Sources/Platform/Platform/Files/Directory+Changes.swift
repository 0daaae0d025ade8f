internal import CLinux
internal import Glibc

/// What changes the entries of a directory. Every name is one component; none of these follows a symbolic link.
extension Directory {
    /// Makes an entry a directory. False when the name is taken.
    package func makeDirectory(_ name: [UInt8], mode: UInt32) throws(Failure) -> Bool {
        if unsafe Name.with(name, { unsafe mkdirat(number, $0, mode) }) == 0 { return true }
        if errno == EEXIST { return false }
        throw Failure.system(errno, "cannot make the directory \(describe(name))")
    }

    /// Takes an entry away that is no directory. False when it was not there.
    package func remove(_ name: [UInt8], directory: Bool = false) throws(Failure) -> Bool {
        if unsafe Name.with(name, { unsafe unlinkat(number, $0, directory ? AT_REMOVEDIR : 0) }) == 0 { return true }
        if errno == ENOENT { return false }
        throw Failure.system(errno, "cannot remove \(describe(name))")
    }

    /// Gives an entry another name, in another directory of the same file system, if that name is free. False when
    /// it is taken.
    package func move(_ name: [UInt8], to other: borrowing Directory, as new: [UInt8]) throws(Failure) -> Bool {
        let (from, to) = (number, other.number)
        var result = unsafe Name.with(name) { old in
            unsafe Name.with(new) { new in unsafe linux_rename_new(from, old, to, new) }
        }
        if result != 0 && [EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) {
            // A file system that cannot rename without replacing: NFS, some in user space.
            result = unsafe Name.with(name) { old in
                unsafe Name.with(new) { new in unsafe linkat(from, old, to, new, 0) }
            }
            if result == 0 { _ = try? remove(name) }
        }
        if result == 0 { return true }
        if errno == EEXIST { return false }
        throw Failure.system(errno, "cannot rename \(describe(name)) to \(other.describe(new))")
    }

    /// Makes what was done to the entries of this directory survive a power cut.
    package func synchronize() throws(Failure) {
        while fsync(number) != 0 {
            if errno != EINTR { throw Failure.system(errno, "cannot make \(label) durable") }
        }
    }

    // MARK: - Making what is no file

    package func makeSymbolicLink(_ name: [UInt8], to target: [UInt8]) throws(Failure) {
        let result = unsafe Name.with(target) { pointee in
            unsafe Name.with(name) { unsafe symlinkat(pointee, number, $0) }
        }
        if result != 0 { throw Failure.system(errno, "cannot make the symbolic link \(describe(name))") }
    }

    /// A FIFO, a socket or a device. `device` is the number of a device and 0 for the others.
    package func makeNode(_ name: [UInt8], _ kind: FileStatus.Kind, device: UInt64) throws(Failure) {
        let type: UInt32 =
            switch kind {
            case .fifo: S_IFIFO
            case .socket: S_IFSOCK
            case .blockDevice: S_IFBLK
            case .characterDevice: S_IFCHR
            default: 0
            }
        precondition(type != 0, "only FIFOs, sockets and devices are nodes")
        if unsafe Name.with(name, { unsafe mknodat(number, $0, type | 0o600, dev_t(device)) }) != 0 {
            throw Failure.system(errno, "cannot make \(describe(name))")
        }
    }

    /// Another name for the file that `name` names, which is not followed when it is a symbolic link.
    package func link(_ name: [UInt8], to other: borrowing Directory, as new: [UInt8]) throws(Failure) {
        let (from, to) = (number, other.number)
        let result = unsafe Name.with(name) { old in
            unsafe Name.with(new) { new in unsafe linkat(from, old, to, new, 0) }
        }
        if result != 0 { throw Failure.system(errno, "cannot link \(other.describe(new)) to \(describe(name))") }
    }

    /// Gives an entry of this directory another name in it, in place of what had that name.
    package func replace(_ new: [UInt8], with name: [UInt8]) throws(Failure) {
        try replace(new, with: name, of: self)
    }

    /// Gives an entry of another directory of the same file system a name in this one, in place of what had that name.
    package func replace(_ new: [UInt8], with name: [UInt8], of other: borrowing Directory) throws(Failure) {
        let (from, to) = (other.number, number)
        let result = unsafe Name.with(name) { old in
            unsafe Name.with(new) { new in unsafe renameat(from, old, to, new) }
        }
        if result != 0 { throw Failure.system(errno, "cannot replace \(describe(new))") }
    }
}
