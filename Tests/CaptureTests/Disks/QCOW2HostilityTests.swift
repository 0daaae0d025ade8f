import Capture
import Glibc
import Platform
import Support
import Testing

/// Images that lie: read or refused, with a reason, and never more work than their files are long.
@Suite struct QCOW2HostilityTests {
    private static let cluster = 65536

    /// An image of 16 MiB with four clusters of data, and where its tables are.
    private func sample(_ options: String = "") throws -> (images: Images, l1: Int, l2: Int) {
        let images = try Images()
        try images.create("disk.qcow2", size: 16 << 20, options)
        try images.run(
            "qemu-io", ["-f", "qcow2", "-c", "write -P 1 0 128k", "-c", "write -P 2 8M 128k", images("disk.qcow2")])
        let bytes = try images.bytes("disk.qcow2")
        func long(_ at: Int) -> Int {
            Int(bytes[at..<at + 8].reduce(0 as UInt64) { $0 << 8 | UInt64($1) } & 0xFF_FFFF_FFFF)
        }
        return (images, long(40), long(long(40)))
    }

    private func expect(
        _ code: Failure.Code, _ options: String = "", at location: SourceLocation = #_sourceLocation,
        _ patch: (Images, _ l1: Int, _ l2: Int) throws -> Void
    ) throws {
        let (images, l1, l2) = try sample(options)
        _ = try content(images.open("disk.qcow2"))
        try patch(images, l1, l2)
        #expect(throws: Failure(code, ""), sourceLocation: location) { try content(images.open("disk.qcow2")) }
    }

    @Test func whatIsNotReadIsRefused() throws {
        // Encrypted, in both ways.
        for method in [1, 2] as [UInt32] {
            try expect(.refused) { images, _, _ in try images.patch("disk.qcow2", (32, Images.word(method))) }
        }
        // Corrupt; with its data elsewhere; with a feature nobody knows.
        for feature in [1 << 1, 1 << 2, 1 << 5, 1 << 63] as [UInt64] {
            try expect(.refused) { images, _, _ in try images.patch("disk.qcow2", (72, Images.long(feature))) }
        }
        try expect(.refused) { images, _, _ in
            try images.patch("disk.qcow2", (72, Images.long(1 << 3)), (100, Images.word(112)), (104, [2]))
        }
        for version in [0, 1, 4] as [UInt32] {
            try expect(.refused) { images, _, _ in try images.patch("disk.qcow2", (4, Images.word(version))) }
        }
        try expect(.refused) { images, _, _ in try images.patch("disk.qcow2", (24, Images.long(1 << 60))) }
        // Built upon an image of another kind.
        let images = try Images()
        try images.image("create", "-f", "vmdk", images("base.vmdk"), "1M")
        try images.create("top.qcow2", size: 1 << 20, on: ("base.vmdk", "vmdk"))
        #expect(throws: Failure(.refused, "")) { try images.open("top.qcow2", backing: ["base.vmdk"]) }
    }

    @Test func aHeaderThatMakesNoSense() throws {
        for bits in [0, 8, 22, 63, 1 << 31] as [UInt32] {
            try expect(.damaged) { images, _, _ in try images.patch("disk.qcow2", (20, Images.word(bits))) }
        }
        for length in [0, 72, 105, 1 << 20, .max] as [UInt32] {
            try expect(.damaged) { images, _, _ in try images.patch("disk.qcow2", (100, Images.word(length))) }
        }
        // A name of what it builds upon, out of the first cluster.
        for (offset, length) in [(65536, 1), (65535, 2), (112, 70_000), (.max, 8)] as [(UInt64, UInt32)] {
            try expect(.damaged) { images, _, _ in
                try images.patch("disk.qcow2", (8, Images.long(offset)), (16, Images.word(length)))
            }
        }
        // Disks that are not of sectors, or too large for their tables.
        for size in [(16 << 20) + 1, 1 << 50] as [UInt64] {
            try expect(.damaged) { images, _, _ in try images.patch("disk.qcow2", (24, Images.long(size))) }
        }
        for l1 in [1, 1 << 40, .max, .max - 65535] as [UInt64] {
            try expect(.damaged) { images, _, _ in try images.patch("disk.qcow2", (40, Images.long(l1))) }
        }
        try expect(.damaged) { images, _, _ in try images.patch("disk.qcow2", (104, [1]), (100, Images.word(112))) }
        try expect(.damaged) { images, _, _ in try #require(truncate(images("disk.qcow2"), 90) == 0) }
    }

    @Test func tablesThatMakeNoSense() throws {
        // Out of line; past the end; with bits that mean nothing; at the beginning of the last, incomplete cluster.
        for entry in [0x200, 1 << 50, 1 << 63 | 1 << 60 | 0x50000, 1 << 62 | 0x50000, .max, 0x7FFF_FFFF_0000]
            as [UInt64]
        {
            try expect(.damaged) { images, l1, _ in try images.patch("disk.qcow2", (l1, Images.long(entry))) }
        }
        for entry in [0x200, 1 << 50, 0x50002, 1 << 60 | 0x50000, 1 << 62 | 1 << 40, .max, 0x7FFF_FFFF_0000] as [UInt64]
        {
            try expect(.damaged) { images, _, l2 in try images.patch("disk.qcow2", (l2, Images.long(entry))) }
        }
        // What version 2 does not know.
        try expect(.damaged, "compat=0.10") { images, _, l2 in try images.patch("disk.qcow2", (l2 + 8, Images.long(1)))
        }
        // Compressed, and no deflate.
        try expect(.damaged) { images, _, l2 in
            try images.patch("disk.qcow2", (l2, Images.long(1 << 62 | 0x50000)))
        }
        // Parts that are data and zeros at once; data without a place; marks on what is compressed.
        for (word, marks) in [(0x50000, 1 << 32 | 1), (0, 1), (1, 0), (1 << 62 | 0x50000, 1)] as [(UInt64, UInt64)] {
            try expect(.damaged, "extended_l2=on") { images, _, l2 in
                try images.patch("disk.qcow2", (l2, Images.long(word) + Images.long(marks)))
            }
        }
    }

    @Test func whatIsReferredToTwiceIsNotReadForEver() throws {
        // A petabyte of the same cluster: one table named again and again, then one cluster.
        try expect(.damaged) { images, l1, l2 in
            try images.patch(
                "disk.qcow2", (24, Images.long(1 << 30)), (36, Images.word(2)),
                (l1, Images.long(UInt64(l2)) + Images.long(UInt64(l2))))
        }
        try expect(.damaged) { images, _, l2 in
            try images.patch("disk.qcow2", (l2, (0..<256).flatMap { _ in Images.long(1 << 63 | 0x50000) }))
        }
        let images = try Images()
        try images.write(images.seed.text(65536), "disk.raw")
        try images.image("convert", "-f", "raw", "-O", "qcow2", "-c", images("disk.raw"), images("disk.qcow2"))
        try images.image("resize", "-f", "qcow2", images("disk.qcow2"), "64M")
        let bytes = try images.bytes("disk.qcow2")
        func long(_ at: Int) -> UInt64 { bytes[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        let l2 = Int(long(Int(long(40))) & 0xFF_FFFF_FFFF)
        try images.patch("disk.qcow2", (l2, (0..<1024).flatMap { _ in Images.long(long(l2)) }))
        #expect(throws: Failure(.damaged, "")) { try content(images.open("disk.qcow2")) }
    }

    @Test func aFileThatWasCutOff() throws {
        let (images, _, _) = try sample()
        let length = try images.bytes("disk.qcow2").count
        for cut in [length - 1, length - Self.cluster, length / 2, 4 * Self.cluster + 1, Self.cluster, 512] {
            try #require(truncate(images("disk.qcow2"), cut) == 0)
            #expect(throws: Failure(.damaged, ""), "\(cut)") { try content(images.open("disk.qcow2")) }
        }
    }

    @Test(arguments: ["", "extended_l2=on", "compat=0.10"])
    func anyByteMayBeAnything(options: String) throws {
        let (images, l1, l2) = try sample(options)
        let good = try images.bytes("disk.qcow2")
        var seed = Seed(5)
        var outcomes: [String: Int] = [:]
        for _ in 0..<300 {
            let base = [0, 0, l1, l2, l2][seed.below(5)]
            let at = base + seed.below(base == 0 ? 120 : base == l1 ? 8 : 40)
            try images.patch("disk.qcow2", (at, seed.below(3) == 0 ? seed.bytes(8) : seed.bytes(1)))
            do {
                let disk = try images.open("disk.qcow2")
                // More of zeros would be right, and take long to compare.
                if disk.size <= 64 << 20 { _ = try content(disk) }
                outcomes["read", default: 0] += 1
            } catch let failure as Failure {
                #expect([.damaged, .refused].contains(failure.code), "\(failure)")
                outcomes[failure.code.rawValue, default: 0] += 1
            }
            try images.patch("disk.qcow2", (at, Array(good[at..<at + 8])))
        }
        #expect(outcomes.count == 3, "\(outcomes)")
    }
}
