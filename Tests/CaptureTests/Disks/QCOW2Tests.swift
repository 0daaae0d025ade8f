import Capture
import Glibc
import Platform
import Repository
import Sealing
import Support
import Testing

/// Images that QEMU made are captured as the disks that QEMU reads in them.
@Suite struct QCOW2Tests {
    private static let size = 6_291_456 + 3 * 512

    private func expectSame(
        _ images: Images, _ name: String, backing: [String] = [], at location: SourceLocation = #_sourceLocation
    ) throws {
        let expected = try images.converted(name)
        let isSame = try content(images.open(name, backing: backing)) == expected
        #expect(isSame, "read", sourceLocation: location)
        let captured = try Estate().capture(images.open(name, backing: backing))
        #expect(captured.bytes == expected, "captured", sourceLocation: location)
        #expect(captured.report.isComplete)
    }

    @Test(arguments: [
        "", "compat=0.10", "cluster_size=512", "cluster_size=4096,compat=0.10", "cluster_size=2M", "extended_l2=on",
        "extended_l2=on,cluster_size=16k", "extended_l2=on,cluster_size=2M", "preallocation=metadata",
        "preallocation=falloc,cluster_size=8k", "lazy_refcounts=on,refcount_bits=1",
    ])
    func whateverAGuestWrote(options: String) throws {
        let images = try Images(UInt64(options.utf8.count))
        try images.create("disk.qcow2", size: Self.size, options)
        try images.scribble("disk.qcow2", size: Self.size)
        // Snapshots inside the image share its clusters, and are none of the disk's.
        let hasOneBitCounts = options.contains("refcount_bits=1")
        if !hasOneBitCounts { try images.image("snapshot", "-c", "before", images("disk.qcow2")) }
        try images.scribble("disk.qcow2", size: Self.size)
        try expectSame(images, "disk.qcow2")
    }

    @Test(arguments: ["compression_type=zlib", "compression_type=zstd"], [512, 4096, 65536, 2 << 20])
    func compressedClusters(method: String, cluster: Int) throws {
        if cluster == 512, method.hasSuffix("zstd") { return }
        let images = try Images(UInt64(cluster))
        try images.raw("disk.raw", size: Self.size)
        try images.image(
            "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "\(method),cluster_size=\(cluster)", images("disk.raw"),
            images("disk.qcow2"))
        #expect(try content(images.open("disk.qcow2")) == images.bytes("disk.raw"))
        try images.scribble("disk.qcow2", size: Self.size, 10)
        try expectSame(images, "disk.qcow2")
    }

    @Test func whatWasAllocatedAndNeverWrittenIsNotRead() throws {
        let images = try Images()
        let session = try Estate().open().beginBackup()
        try images.create("empty.qcow2", size: 8 << 40)
        let (empty, nothing) = try DiskCapture.run(images.open("empty.qcow2"), into: session)
        #expect(nothing.bytesRead == 0 && empty.root == .hole)
        try images.create("allocated.qcow2", size: 4 << 30, "preallocation=metadata")
        try images.run("qemu-io", ["-f", "qcow2", "-c", "write -P 5 3G 100k", images("allocated.qcow2")])
        let (_, report) = try DiskCapture.run(images.open("allocated.qcow2"), into: session)
        #expect(report.bytesRead == 2 * 65536)
        #expect(report.bytes == 4 << 30)
    }

    @Test func anImageThatWasNotClosedIsReadAsQEMUReadsIt() throws {
        let images = try Images()
        try images.create("disk.qcow2", size: Self.size, "lazy_refcounts=on")
        _ = try? images.run(
            "qemu-io",
            ["-f", "qcow2", "-c", "write -P 3 1M 70k", "-c", "flush", "-c", "sigraise 9", images("disk.qcow2")])
        #expect(try images.bytes("disk.qcow2")[79] & 1 == 1, "it is not dirty")
        try expectSame(images, "disk.qcow2")
    }

    // MARK: - What images build upon

    private func chain() throws -> Images {
        let images = try Images(3)
        try images.raw("base.img", size: 3_000_320)
        try images.create("middle.qcow2", size: Self.size, on: ("base.img", "raw"))
        try images.scribble("middle.qcow2", size: Self.size, 12)
        try images.create("top.qcow2", size: 4_000_768, "extended_l2=on", on: ("middle.qcow2", "qcow2"))
        try images.scribble("top.qcow2", size: 4_000_768, 12)
        return images
    }

    @Test func aChainIsReadFromTheFilesThatAreNamed() throws {
        let images = try chain()
        let expected = try images.converted("top.qcow2")
        // The names that stand in the images lead nowhere any more.
        for name in ["base.img", "middle.qcow2"] { try #require(rename(images(name), images("moved-" + name)) == 0) }
        let chain = ["moved-middle.qcow2", "moved-base.img"]
        #expect(try content(images.open("top.qcow2", backing: chain)) == expected)
        #expect(try Estate().capture(images.open("top.qcow2", backing: chain)).bytes == expected)
    }

    @Test func noFileIsOpenedBecauseAnImageNamesIt() throws {
        let images = try chain()
        #expect(throws: Failure(.refused, "")) { try images.open("top.qcow2") }
        #expect(throws: Failure(.refused, "")) { try images.open("top.qcow2", backing: ["middle.qcow2"]) }
        #expect(throws: Failure(.notFound, "")) { try images.open("top.qcow2", backing: ["nowhere.qcow2"]) }
        #expect(throws: Failure(.usage, "")) {
            try images.open("top.qcow2", backing: ["middle.qcow2", "base.img", "base.img"])
        }
        try images.create("plain.qcow2", size: 1 << 20)
        #expect(throws: Failure(.usage, "")) { try images.open("plain.qcow2", backing: ["base.img"]) }
        #expect(throws: Failure(.usage, "")) { try images.open("base.img", backing: ["base.img"]) }
    }

    @Test func aRawDiskThatAGuestMadeLookLikeAnImageStaysRaw() throws {
        let images = try Images()
        try images.raw("secret", size: 70_000)
        try images.create("guest.qcow2", size: 1 << 20, on: ("secret", "raw"))
        let bytes = try images.bytes("guest.qcow2")
        try #require(rename(images("guest.qcow2"), images("disk.img")) == 0)
        #expect(throws: Failure(.refused, "")) { try images.open("disk.img") }
        #expect(try content(images.open("disk.img", as: .raw)) == bytes)
        try images.create("plain", size: 1 << 20)
        #expect(try content(images.open("plain", as: .qcow2)) == [UInt8](repeating: 0, count: 1 << 20))
        try images.raw("not.QCOW2", size: 100_000)
        #expect(throws: Failure(.refused, "")) { try images.open("not.QCOW2") }
        #expect(throws: Failure(.damaged, "")) { try images.open("not.QCOW2", as: .qcow2) }
        #expect(try content(images.open("not.QCOW2", as: .raw)) == images.bytes("not.QCOW2"))
    }
}
