import Repository

/// The content of a directory while it grows: entries are encoded as they come and leave for the session a
/// megabyte at a time, so that a directory of millions of names needs no more memory than one of a thousand.
struct DirectoryContent {
    private let session: BackupSession
    private var pending: [UInt8] = []
    private var writer: ContentWriter?

    private static let most = 1 << 20

    init(_ session: BackupSession) { self.session = session }

    mutating func append(_ entry: TreeEntry) throws {
        pending += entry.framed
        if pending.count >= Self.most { try flush() }
    }

    mutating func finish() throws -> ContentRef {
        if writer == nil && pending.isEmpty { return .empty }
        try flush()
        guard let ref = try writer?.finish() else { return .empty }
        return ref
    }

    private mutating func flush() throws {
        var at = 0
        var open = writer ?? session.makeContentWriter(.tree)
        while at < pending.count {
            _ = try unsafe open.fill { buffer in
                let count = min(buffer.count, pending.count - at)
                unsafe pending.withUnsafeBytes { bytes in
                    unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<at + count]))
                }
                at += count
                return count
            }
        }
        writer = open
        pending.removeAll(keepingCapacity: true)
    }
}
