package import Platform

/// A disk as its guest saw it, in whatever kind of image it lies. One thread at a time.
package protocol DiskSource: AnyObject {
    /// Of the disk, in bytes.
    var size: UInt64 { get }
    /// The first stretch within `range`, which lies within the disk, that may hold something but zeros; nil when only
    /// zeros are in it.
    /// - Throws: `.damaged` when the image's tables make no sense; `.failed`.
    func nextData(in range: Range<UInt64>) throws(Failure) -> Range<UInt64>?
    /// Fills `target` from `offset` on; the caller stays within the disk.
    /// - Throws: as `nextData`.
    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure)
    /// Files it lies in that have changed since they were opened.
    func changedFiles() throws(Failure) -> [AbsolutePath]
}

/// How a disk lies in its image.
package enum DiskFormat: String, Sendable, CaseIterable {
    /// Byte for byte.
    case raw
    /// As QEMU keeps it, versions 2 and 3.
    case qcow2
}

/// Opens images.
package enum DiskImage {
    /// Opens an image for reading.
    ///
    /// What a disk holds never decides how it is read: a guest can write anything into its raw disk, also the beginning
    /// of a qcow2 image that names some file of the host as what it builds upon. So the format is what the caller says
    /// or what the file is named, a file whose name and beginning contradict each other is refused until the caller
    /// says, and no file is ever opened because an image names it: `backing` are the caller's own words.
    ///
    /// - Parameters:
    ///   - format: nil for what the file's name says: qcow2 if it ends so, otherwise raw.
    ///   - backing: what the image is the difference from, what that one is the difference from, and so on.
    /// - Throws: `.notFound`; `.usage` for what is neither a file nor a block device, and for `backing` that no image asks
    ///   for; `.refused` for an image of which Breakwater does not read all; `.damaged` for one that makes no sense.
    package static func open(
        _ path: AbsolutePath, as format: DiskFormat? = nil, backing: [AbsolutePath] = []
    ) throws(Failure) -> any DiskSource {
        let file = try ImageFile(path)
        let format = if let format { format } else { try self.format(of: file) }
        switch format {
        case .raw:
            guard backing.isEmpty else { throw superfluous(backing, path) }
            return RawDisk(file)
        case .qcow2:
            let header = try QCOW2Header(file)
            return try QCOW2Disk(file, header, backing: try base(of: header, file, backing))
        }
    }

    private static func format(of file: ImageFile) throws(Failure) -> DiskFormat {
        let suffix = String(decoding: file.path.components.last?.suffix(6) ?? [], as: UTF8.self).lowercased()
        let isNamedSo = suffix == ".qcow2"
        guard try file.begins(with: QCOW2.magic) == isNamedSo else {
            let what =
                isNamedSo
                ? "is named as a qcow2 image and does not begin as one"
                : "begins as a qcow2 image and is not named as one: a guest may have written that into its raw disk"
            throw Failure(.refused, "\(file.path) \(what)", advice: "Say which it is: --disk-format raw or qcow2")
        }
        return isNamedSo ? .qcow2 : .raw
    }

    private static func base(
        of header: QCOW2Header, _ file: ImageFile, _ given: [AbsolutePath]
    ) throws(Failure) -> (any DiskSource)? {
        guard let wanted = header.backing else {
            guard given.isEmpty else { throw superfluous(given, file.path) }
            return nil
        }
        guard let next = given.first else {
            throw Failure(
                .refused,
                "\(file.path) holds only the difference from another image, which it calls \(wanted.name), and no file is "
                    + "opened because an image names it",
                advice: "Name that file with --backing, or make one image of them by `qemu-img convert`")
        }
        let format = wanted.format.map(DiskFormat.init(rawValue:))
        if case .some(nil) = format {
            throw Failure(
                .refused, "\(file.path) is the difference from an image in the format \(wanted.format ?? "")",
                advice: "Make one raw or qcow2 image of them by `qemu-img convert`")
        }
        return try open(next, as: format ?? nil, backing: Array(given.dropFirst()))
    }

    private static func superfluous(_ given: [AbsolutePath], _ path: AbsolutePath) -> Failure {
        Failure(
            .usage,
            "\(given.first?.description ?? "") was named as what \(path) builds upon, and that builds upon nothing",
            advice: "Check which images belong together")
    }
}

/// A disk that lies in its image byte for byte.
final class RawDisk: DiskSource {
    private let file: ImageFile

    init(_ file: ImageFile) { self.file = file }

    var size: UInt64 { file.size }

    func nextData(in range: Range<UInt64>) throws(Failure) -> Range<UInt64>? { try file.nextData(in: range) }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        try unsafe file.read(at: offset, into: target)
    }

    func changedFiles() throws(Failure) -> [AbsolutePath] { try file.hasChanged() ? [file.path] : [] }
}
