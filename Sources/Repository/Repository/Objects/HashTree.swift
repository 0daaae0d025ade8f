package import Platform

/// The Merkle tree of RFC 9162, section 2.1, over blocks of 64 KiB: any block can be verified, and fetched again from
/// a good replica, by itself and without a key.
package enum HashTree {
    package static let blockSize = 65536

    /// The hash of each block; the last may be shorter.
    package static func leaves(of bytes: UnsafeRawBufferPointer) -> [Digest] {
        let blocks = unsafe stride(from: 0, to: bytes.count, by: blockSize).map { start in
            let end = min(start + blockSize, bytes.count)
            return unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        }
        return unsafe SHA256.hashes(of: blocks, after: 0)
    }

    package static func root(_ leaves: ArraySlice<Digest>) -> Digest {
        guard leaves.count > 1 else { return leaves.first ?? SHA256.hash([]) }
        // The largest power of two smaller than the count splits the tree.
        let split = 1 << (Int.bitWidth - 1 - (leaves.count - 1).leadingZeroBitCount)
        let middle = leaves.startIndex + split
        return SHA256.hash([1] + root(leaves[..<middle]).bytes + root(leaves[middle...]).bytes)
    }
}
