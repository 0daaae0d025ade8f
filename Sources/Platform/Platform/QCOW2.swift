/// Words of the image format qcow2 (QEMU, docs/interop/qcow2.txt) that those who read images and those who write them
/// share. All numbers in an image are big-endian.
package enum QCOW2 {
    package static let magic = Array("QFI".utf8) + [0xFB]
    /// QEMU takes no longer L1 table, in bytes.
    package static let longestL1: UInt64 = 32 << 20
    /// In an entry of L1 and L2: nobody else refers to the cluster.
    package static let isOwned: UInt64 = 1 << 63
    /// What the size of a disk is counted in, and what is compressed lies in.
    package static let sector: UInt64 = 512
}
