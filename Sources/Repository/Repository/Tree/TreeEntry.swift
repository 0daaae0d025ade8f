package import Platform
internal import Sealing

/// One name in a directory and everything the file system says of it. Names and targets are bytes, not text.
package struct TreeEntry: Hashable, Sendable {
    package enum Kind: UInt8, Sendable {
        case file = 1, directory, symbolicLink, fifo, socket, blockDevice, characterDevice
    }

    package struct ExtendedAttribute: Hashable, Sendable {
        package var name: [UInt8]
        package var value: [UInt8]
        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    package struct Time: Hashable, Sendable {
        package var seconds: Int64
        package var nanoseconds: UInt32
        package init(seconds: Int64, nanoseconds: UInt32) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    package var name: [UInt8]
    package var kind: Kind
    /// Permission bits, set-user-id, set-group-id and sticky: 07777.
    package var mode: UInt32
    package var owner: UInt32
    package var group: UInt32
    package var modified: Time
    /// Bytes of a file; 0 for everything else.
    package var size: UInt64
    /// POSIX access control lists are among them, as `system.posix_acl_access` and `system.posix_acl_default`.
    package var extendedAttributes: [ExtendedAttribute]
    /// Where a symbolic link points.
    package var target: [UInt8]
    /// A device's number, as the kernel's `dev_t`.
    package var device: UInt64
    /// 0, or a number that all names of one inode share within the snapshot.
    package var link: UInt64
    /// The file changed while it was read: what is stored never was on disk at one moment.
    package var changedWhileRead: Bool
    /// Of a file, its bytes; of a directory, its entries in order of their names.
    package var content: ContentRef?

    package static let longestName = 4096
    package static let largest = 4 << 20

    package init(
        name: [UInt8], kind: Kind, mode: UInt32, owner: UInt32, group: UInt32, modified: Time, size: UInt64 = 0,
        extendedAttributes: [ExtendedAttribute] = [], target: [UInt8] = [], device: UInt64 = 0, link: UInt64 = 0,
        changedWhileRead: Bool = false, content: ContentRef? = nil
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.owner = owner
        self.group = group
        self.modified = modified
        self.size = size
        self.extendedAttributes = extendedAttributes
        self.target = target
        self.device = device
        self.link = link
        self.changedWhileRead = changedWhileRead
        self.content = content
    }

    /// The entry as it stands in a directory's content: its length, then its fields.
    package var framed: [UInt8] {
        let body = CanonicalEncoder.bytes { encode(to: &$0) }
        return CanonicalEncoder.bytes { $0.string(body) }
    }

    private func encode(to encoder: inout CanonicalEncoder) {
        encoder.string(name)
        encoder.byte(kind.rawValue)
        encoder.number(UInt64(mode))
        encoder.number(UInt64(owner))
        encoder.number(UInt64(group))
        encoder.signed(modified.seconds)
        encoder.number(UInt64(modified.nanoseconds))
        encoder.number(size)
        encoder.list(extendedAttributes) {
            $0.string($1.name)
            $0.string($1.value)
        }
        encoder.string(target)
        encoder.number(device)
        encoder.number(link)
        encoder.byte(changedWhileRead ? 1 : 0)
        encoder.list(content.map { [$0] } ?? []) { $1.encode(to: &$0) }
    }

    /// Decodes the fields (without the length before them) and refuses what no file system could have said.
    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a directory entry")
        name = try decoder.string(atMost: Self.longestName)
        guard let kind = Kind(rawValue: try decoder.byte()) else { throw decoder.malformed("an unknown kind of file") }
        self.kind = kind
        mode = UInt32(try decoder.number(atMost: 0o7777))
        owner = try decoder.number32()
        group = try decoder.number32()
        modified = Time(
            seconds: try decoder.signed(), nanoseconds: UInt32(try decoder.number(atMost: 999_999_999)))
        size = try decoder.number(atMost: 1 << 62)
        extendedAttributes = try decoder.list(atMost: 65536, smallest: 2) {
            (inner: inout CanonicalDecoder) throws(Failure) in
            ExtendedAttribute(name: try inner.string(atMost: 4096), value: try inner.string(atMost: 1 << 20))
        }
        target = try decoder.string(atMost: 65536)
        device = try decoder.number()
        link = try decoder.number()
        changedWhileRead = try decoder.number(atMost: 1) == 1
        let contents = try decoder.list(atMost: 1) { (inner: inout CanonicalDecoder) throws(Failure) in
            try ContentRef(from: &inner)
        }
        content = contents.first
        try decoder.finish()
        guard !name.isEmpty, name != [46], name != [46, 46], !name.contains(0), !name.contains(47) else {
            throw decoder.malformed("a name that no directory can hold")
        }
        guard (kind == .file || kind == .directory) == (content != nil), kind != .file || content?.length == size else {
            throw decoder.malformed("a file whose content is not its size")
        }
    }
}
