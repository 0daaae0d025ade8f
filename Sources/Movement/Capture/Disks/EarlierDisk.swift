package import Sealing

/// The disk as it was in an earlier snapshot, by whoever can tell which chunk each block of it is.
package struct EarlierDisk {
    /// By what a disk is known from one snapshot to the next.
    package struct Name: Equatable, Sendable {
        /// Of its stream.
        package var label: String
        /// In bytes.
        package var size: UInt64

        package init(label: String, size: UInt64) {
            self.label = label
            self.size = size
        }
    }

    /// Calls its argument with every block that is not zeros, in ascending order.
    /// - Throws: what its argument throws; otherwise a `Failure`, when not all blocks can be told.
    package let forEachBlock: ((UInt64, ChunkID) throws -> Void) throws -> Void
}
