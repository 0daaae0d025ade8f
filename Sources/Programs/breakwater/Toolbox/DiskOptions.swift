internal import ArgumentParser
import Capture
import Platform

/// Which disks, and how they lie in their images.
struct DiskOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("disk"),
        help: ArgumentHelp("A disk image, raw or qcow2, or a block device.", valueName: "image"))
    var images: [String] = []

    @Option(
        name: .customLong("disk-format"),
        help: "What the images are: raw or qcow2. Otherwise qcow2 if they are named *.qcow2, raw if not.")
    var format: DiskFormat?

    @Option(
        help: ArgumentHelp(
            "What a qcow2 image is the difference from; again for what that one is the difference from. Names that stand in an image are never followed.",
            valueName: "image"))
    var backing: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            A map of what has changed since the snapshot that --changed-since names, so that nothing else is read: JSON as \
            `nbdinfo --json --map=qemu:dirty-bitmap:NAME` prints it. Where it is of no use the whole disk is read.
            """, valueName: "map"))
    var changes: String?

    @Option(help: ArgumentHelp("The id of the snapshot from which the map counts.", valueName: "snapshot"))
    var changedSince: String?

    func validate() throws {
        if (changes == nil) != (changedSince == nil) {
            throw ValidationError("--changes and --changed-since go together.")
        }
        if changedSince?.hasPrefix("latest:") == true {
            throw ValidationError("--changed-since takes an id: a map counts from one snapshot, not from the latest.")
        }
        if changes != nil && images.count != 1 { throw ValidationError("--changes goes with one --disk.") }
        if !backing.isEmpty && images.count != 1 { throw ValidationError("--backing goes with one --disk.") }
    }

    func open() throws(Failure) -> [(image: AbsolutePath, source: any DiskSource)] {
        let backing = try backing.map { path throws(Failure) in try RawArguments.path(path) }
        return try images.map { text throws(Failure) in
            let path = try RawArguments.path(text)
            return (path, try DiskImage.open(path, as: format, backing: backing))
        }
    }
}

extension DiskFormat: ExpressibleByArgument {}
