package import Platform

/// A disk as bytes to be read at any place: what a block server serves, whatever lies behind it.
///
/// Sources are safe to use from several threads, and their bytes never change.
package protocol BlockSource: Sendable {
    var size: UInt64 { get }

    /// Fills `target` from `offset` on; the caller stays within the disk.
    /// - Throws: `.damaged`, `.unreachable`, `.failed`; what is in `target` then means nothing.
    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure)

    /// What is known about holes, from the start of `range` (not empty, within the disk), without reading data: the
    /// extents follow one another and may end before the range does, but never before its first byte. Zeros that are
    /// reported as data are correct; data reported as a hole are not.
    func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent]
}

package struct BlockExtent: Sendable, Equatable {
    package var length: UInt64
    /// Reads as zeros and takes no room.
    package var isHole: Bool

    package init(length: UInt64, isHole: Bool) {
        self.length = length
        self.isHole = isHole
    }
}

extension [BlockExtent] {
    /// Adds an extent, as part of the last one where it is of the same kind.
    package mutating func extend(by length: UInt64, isHole: Bool) {
        if length == 0 { return }
        if let last = indices.last, self[last].isHole == isHole {
            self[last].length += length
        } else {
            append(BlockExtent(length: length, isHole: isHole))
        }
    }
}
