package import Platform
package import Repository

/// Remembers, from one capture to the next, where the content of a file went, so that a file that has not changed is
/// not read again. Keyed by what the kernel says of the file; the time of change is part of it and cannot be set by
/// programs, so that a changed file is a different key.
package protocol CaptureMemory: AnyObject, Sendable {
    /// The content stored for this file, if every chunk of it can be leant on in this session.
    func recall(_ file: FileIdentity) -> ContentRef?
    func remember(_ file: FileIdentity, _ content: ContentRef)
}

/// A file at one moment of its life.
package struct FileIdentity: Hashable, Sendable {
    package var fileSystem: UInt64
    package var inode: UInt64
    package var size: UInt64
    package var modifiedSeconds: Int64
    package var modifiedNanoseconds: UInt32
    package var changedSeconds: Int64
    package var changedNanoseconds: UInt32

    package init(_ status: FileStatus) {
        fileSystem = status.fileSystem
        inode = status.inode
        size = status.size
        modifiedSeconds = status.modifiedSeconds
        modifiedNanoseconds = status.modifiedNanoseconds
        changedSeconds = status.changedSeconds
        changedNanoseconds = status.changedNanoseconds
    }
}
