import Glibc
package import Platform
import Repository

/// Which blocks of a disk may differ from what they were, by the word of whoever watched the writes: a hypervisor's dirty
/// bitmap, written down as JSON.
///
/// The JSON is an array of `{"start" or "offset", "length", "dirty": true or false}` or, as nbdinfo prints the metadata
/// context `qemu:dirty-bitmap:NAME`, `"description": "dirty" or "clean"` in place of the last. It tells of the whole disk
/// without a gap, so that one that was cut off does not pass for one that says nothing changed. What `qemu-img map`
/// prints is not taken: its `data` means dirty or clean according to what was asked, and the map does not say.
package struct ChangeMap: Sendable, Equatable {
    /// Stretches of whole blocks (the disk's last may be shorter) that may have changed, in ascending order, apart.
    package private(set) var changed: [Range<UInt64>] = []
    private var end: UInt64 = 0

    /// A longer map is not read: reading the disk is not much slower then.
    package static let longest = 64 << 20

    /// Reads a map from a file.
    /// - Throws: as `init(json:size:)`, and what keeps it from being read.
    package init(at path: AbsolutePath, size: UInt64) throws(Failure) {
        let file = try Descriptor.open(path.bytes, O_RDONLY | O_NONBLOCK)
        guard try FileStatus(of: file.number, label: file.label).kind == .file else {
            throw Failure(.usage, "the change map \(path) is no file")
        }
        guard try file.size() <= UInt64(Self.longest) else {
            throw Failure(.refused, "the change map \(path) is longer than \(Self.longest) bytes")
        }
        var json: [UInt8] = []
        while json.count <= Self.longest, case let more = try file.readSome(limit: 1 << 20), !more.isEmpty {
            json += more
        }
        try self.init(json: json, size: size)
    }

    /// - Parameter size: of the disk, in bytes.
    /// - Throws: `.damaged`, with what is wrong: such a map tells nothing.
    package init(json: [UInt8], size: UInt64) throws(Failure) {
        try JSONParser.forEachElement(of: json) { element throws(Failure) in try add(element, size) }
        guard end == size else {
            throw Failure(.damaged, "the change map tells of \(end) bytes, and the disk has \(size)")
        }
    }

    private mutating func add(_ element: JSONValue, _ size: UInt64) throws(Failure) {
        guard let start = (element["start"] ?? element["offset"])?.integer, let length = element["length"]?.integer,
            start >= 0, length >= 0
        else { throw Failure(.damaged, "the change map has an element without a place") }
        guard let isDirty = element["dirty"]?.bool ?? Self.isDirty(element["description"]?.string) else {
            throw Failure(.damaged, "the change map does not say whether the bytes at \(start) are dirty")
        }
        // What an element says twice, it says alike; nbdinfo's types of a dirty bitmap are 0 and 1.
        let words = [
            element["type"].map { $0.integer == (isDirty ? 1 : 0) },
            element["description"].map { Self.isDirty($0.string) == isDirty },
        ]
        guard !words.contains(false) else {
            throw Failure(.damaged, "the change map contradicts itself about the bytes at \(start)")
        }
        guard UInt64(start) == end, UInt64(length) <= size - end else {
            throw Failure(.damaged, "the change map goes on at \(start) for \(length) bytes after \(end) of \(size)")
        }
        end += UInt64(length)
        guard isDirty, length > 0 else { return }
        let block = UInt64(DiskRef.blockSize)
        let (first, last) = (UInt64(start) / block * block, min((end + block - 1) / block * block, size))
        if let open = changed.last, open.upperBound >= first {
            changed[changed.count - 1] = open.lowerBound..<last
        } else {
            changed.append(first..<last)
        }
    }

    private static func isDirty(_ description: String?) -> Bool? {
        switch description {
        case "dirty": true
        case "clean": false
        default: nil
        }
    }
}
