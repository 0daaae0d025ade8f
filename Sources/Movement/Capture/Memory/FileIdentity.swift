package import Platform

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
