import Platform
import Repository

/// Where everything lies in a qcow2 image, version 3 (QEMU, docs/interop/qcow2.txt), of a disk that is known
/// beforehand: a cluster is a block of the disk, and a cluster of zeros is not there.
///
/// In order: the header; the table of reference counts' blocks, and the blocks; the table of tables (L1); the tables
/// (L2), in the disk's order; the clusters of data, in the disk's order. Nothing in the image is ever moved, so its
/// clusters can be written in any order.
struct QCOW2Layout {
    static let cluster: UInt64 = UInt64(DiskRef.blockSize)
    /// Entries of an L2 table, of 8 bytes each.
    private static let entries = cluster / 8
    /// Counts of 16 bits in a cluster.
    private static let counts = cluster / 2

    /// Of the virtual disk: QEMU counts in sectors.
    let size: UInt64
    private let disk: DiskReader
    private let data: UInt64
    /// The numbers of the L2 tables that are there.
    private let tables: [UInt64]
    private let lengthOfL1: UInt64
    private let clustersOfL1: UInt64
    private let clustersOfCounts: UInt64
    private let clustersOfCountTable: UInt64

    /// - Throws: `.refused` for a disk too large for the format; `.damaged` when the disk's map cannot be read.
    init(_ disk: DiskReader) throws {
        self.disk = disk
        size = (disk.size + QCOW2.sector - 1) / QCOW2.sector * QCOW2.sector
        lengthOfL1 = (disk.disk.blocks + Self.entries - 1) / Self.entries
        guard lengthOfL1 * 8 <= QCOW2.longestL1 else {
            throw Failure(.refused, "a qcow2 image holds no disk of \(disk.size) bytes", advice: "Write it as raw")
        }
        var data: UInt64 = 0
        var tables: [UInt64] = []
        try disk.forEachBlock { block, _ in
            data += 1
            if tables.last != block / Self.entries { tables.append(block / Self.entries) }
        }
        (self.data, self.tables) = (data, tables)
        clustersOfL1 = (lengthOfL1 * 8 + Self.cluster - 1) / Self.cluster
        // The counts count themselves too.
        let others = 1 + clustersOfL1 + UInt64(tables.count) + data
        var (blocks, table): (UInt64, UInt64) = (1, 1)
        while blocks * Self.counts < others + blocks + table || table * Self.entries < blocks {
            blocks = (others + blocks + table + Self.counts - 1) / Self.counts
            table = (blocks + Self.entries - 1) / Self.entries
        }
        (clustersOfCounts, clustersOfCountTable) = (blocks, table)
    }

    private var firstCountBlock: UInt64 { (1 + clustersOfCountTable) * Self.cluster }
    private var firstL1: UInt64 { firstCountBlock + clustersOfCounts * Self.cluster }
    private var firstL2: UInt64 { firstL1 + clustersOfL1 * Self.cluster }
    private var firstData: UInt64 { firstL2 + UInt64(tables.count) * Self.cluster }

    /// Of the image's file.
    var fileSize: UInt64 { firstData + data * Self.cluster }

    /// Where the block is written that comes as the `rank`th of those that are not zeros.
    func place(rank: UInt64) -> UInt64 { firstData + rank * Self.cluster }

    // MARK: - Writing

    /// Writes everything but the data into a file of `fileSize` zeros, by `write(bytes, offset)`.
    func write(_ write: ([UInt8], UInt64) throws -> Void) throws {
        try write(header, 0)
        try writeCounts(write)
        var l1 = [UInt8](repeating: 0, count: Int(lengthOfL1 * 8))
        for (position, table) in tables.enumerated() {
            Self.put(firstL2 + UInt64(position) * Self.cluster | QCOW2.isOwned, &l1, at: Int(table) * 8)
        }
        try write(l1, firstL1)
        try writeTables(write)
    }

    private func writeTables(_ write: ([UInt8], UInt64) throws -> Void) throws {
        var table = [UInt8](repeating: 0, count: Int(Self.cluster))
        var current: UInt64?
        var (position, rank): (UInt64, UInt64) = (0, 0)
        try disk.forEachBlock { block, _ in
            let number = block / Self.entries
            if let known = current, known != number {
                try write(table, firstL2 + position * Self.cluster)
                position += 1
                table = [UInt8](repeating: 0, count: Int(Self.cluster))
            }
            current = number
            Self.put(place(rank: rank) | QCOW2.isOwned, &table, at: Int(block % Self.entries) * 8)
            rank += 1
        }
        if current != nil { try write(table, firstL2 + position * Self.cluster) }
    }

    private func writeCounts(_ write: ([UInt8], UInt64) throws -> Void) throws {
        var table = [UInt8](repeating: 0, count: Int(clustersOfCounts * 8))
        for block in 0..<clustersOfCounts {
            Self.put(firstCountBlock + block * Self.cluster, &table, at: Int(block) * 8)
        }
        try write(table, Self.cluster)
        // Every cluster of the file is referred to once.
        var left = fileSize / Self.cluster
        for block in 0..<clustersOfCounts {
            let here = min(left, Self.counts)
            try write([UInt8]((0..<Int(here) * 2).map { UInt8($0 % 2) }), firstCountBlock + block * Self.cluster)
            left -= here
        }
    }

    private var header: [UInt8] {
        var bytes = QCOW2.magic
        func number32(_ value: UInt64) { bytes += (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        func number64(_ value: UInt64) { bytes += (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }
        number32(3)
        // No backing file.
        number64(0)
        number32(0)
        number32(UInt64(Self.cluster.trailingZeroBitCount))
        number64(size)
        // No encryption.
        number32(0)
        number32(lengthOfL1)
        number64(firstL1)
        number64(Self.cluster)
        number32(clustersOfCountTable)
        // No snapshots within; no features beyond the plain ones.
        number32(0)
        number64(0)
        number64(0)
        number64(0)
        number64(0)
        // Counts of 2^4 bits; this header's own length; no extension follows.
        number32(4)
        number32(104)
        number64(0)
        return bytes
    }

    private static func put(_ value: UInt64, _ bytes: inout [UInt8], at offset: Int) {
        for byte in 0..<8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64(byte))) }
    }
}
