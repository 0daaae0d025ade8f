import Repository

/// Writes fields in the order and width of linux/fuse.h, in the machine's byte order.
struct FuseFields {
    private(set) var bytes: [UInt8] = []

    mutating func number16(_ value: UInt16) { append(UInt64(value), 2) }
    mutating func number32(_ value: UInt32) { append(UInt64(value), 4) }
    mutating func number64(_ value: UInt64) { append(value, 8) }
    mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }
    mutating func zeros(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    private mutating func append(_ value: UInt64, _ width: Int) {
        for byte in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte)))) }
    }

    /// How long the kernel may keep what it was told: nothing in a snapshot ever changes. In seconds.
    private static let validity: UInt64 = 86400

    /// struct fuse_attr
    mutating func attributes(_ file: FileFacts) {
        number64(file.inode)
        number64(file.size)
        number64(file.blocks)
        for _ in 0..<3 { number64(UInt64(bitPattern: file.modified.seconds)) }
        for _ in 0..<3 { number32(file.modified.nanoseconds) }
        number32(file.mode)
        number32(file.links)
        number32(file.owner)
        number32(file.group)
        number32(UInt32(truncatingIfNeeded: file.device))
        number32(65536)
        number32(0)
    }

    /// struct fuse_attr_out
    mutating func attributesAnswer(_ file: FileFacts) {
        number64(Self.validity)
        zeros(8)
        attributes(file)
    }

    /// struct fuse_entry_out
    mutating func entryAnswer(_ node: UInt64, _ file: FileFacts) {
        number64(node)
        number64(0)
        number64(Self.validity)
        number64(Self.validity)
        zeros(8)
        attributes(file)
    }

    static let entryByteCount = 128

    /// struct fuse_dirent
    mutating func directoryEntry(_ name: [UInt8], inode: UInt64, type: UInt32, next: UInt64) {
        number64(inode)
        number64(next)
        number32(UInt32(name.count))
        number32(type)
        raw(name)
        zeros((8 - name.count % 8) % 8)
    }

    static func directoryEntryByteCount(_ name: [UInt8]) -> Int { 24 + (name.count + 7) / 8 * 8 }
}
