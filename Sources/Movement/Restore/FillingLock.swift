import Glibc
package import Platform

/// What restores of trees tell each other by: each holds a lock on the directory that it fills, for as long as it is at work.
///
/// The lock is of the kind that many hold at once and that can be asked for without being taken. So any number may fill one
/// directory, or one within another, and each knows whether a temporary file that it meets can be another's.
package enum FillingLock {
    /// - Returns: false where the file system does not know such locks.
    package static func hold(_ directory: borrowing Directory) -> Bool { set(F_RDLCK, on: directory.number) }

    /// The lock belongs to the open file, which a child has too that another thread is just starting: closing it alone does
    /// not end it.
    package static func release(_ directory: borrowing Directory) { _ = set(F_UNLCK, on: directory.number) }

    /// Whether anybody but `own` may be filling a directory, or one that it lies in; true as well where that cannot be seen,
    /// in a directory above that may not be read. One that somebody fills by another mount, above what is mounted here, is not
    /// found.
    package static func isHeld(around directory: borrowing Directory, besides own: borrowing Directory) -> Bool {
        guard let mine = place(of: own.number) else { return true }
        var number = fcntl(directory.number, F_DUPFD_CLOEXEC, 0)
        defer { if number >= 0 { close(number) } }
        while let here = place(of: number) {
            // A lock is no hindrance to the open file that holds it.
            if isHeld(here == mine ? own.number : number) { return true }
            let above = unsafe openat(number, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard above >= 0 else { return true }
            close(number)
            number = above
            // The root lies in itself.
            if place(of: above) == here { return false }
        }
        return true
    }

    /// F_OFD_GETLK and F_OFD_SETLK of Linux, which the C library names for GNU programs only.
    private static let (ask, change): (Int32, Int32) = (36, 37)

    private struct Place: Equatable {
        let device: UInt64
        let inode: UInt64
    }

    private static func place(of number: Int32) -> Place? {
        guard number >= 0, let status = try? FileStatus(of: number, label: "") else { return nil }
        return Place(device: status.fileSystem, inode: status.inode)
    }

    private static func set(_ kind: Int32, on number: Int32) -> Bool {
        var lock = whole(kind)
        return unsafe fcntl(number, change, &lock) == 0
    }

    private static func isHeld(_ number: Int32) -> Bool {
        var lock = whole(F_WRLCK)
        return unsafe fcntl(number, ask, &lock) != 0 || lock.l_type != Int16(F_UNLCK)
    }

    private static func whole(_ kind: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(kind)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }
}
