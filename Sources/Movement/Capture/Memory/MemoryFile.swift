package import Platform
package import Repository
package import Sealing

/// The files in a memory that an earlier capture wrote, with sixteen bytes held for each.
package final class MemoryFile {
    package struct Found {
        package var content: ContentRef
        package var attributes: [TreeEntry.ExtendedAttribute]
        /// Where the ids of its chunks begin and end, where it has a list of them.
        package var chunks: Range<UInt64>
    }

    private struct Place {
        var prefix: UInt64
        var position: UInt64
    }

    private let items: MemoryItems
    private var index: [Place] = []

    /// More files than these are read again.
    private static let most = 8 << 20

    /// Nil when there is none at the path, or it is another's.
    package init?(_ path: AbsolutePath, _ secret: WriterSecret, _ repository: RepositoryID) {
        guard let items = MemoryItems(path, secret, repository) else { return nil }
        self.items = items
        scan()
    }

    // MARK: - Files

    /// Notes where each file is, as far as the frames are whole.
    private func scan() {
        var position: UInt64 = 0
        while index.count < Self.most, let next = try? items.item(position) {
            if next.kind == .file, next.payload.count > MemoryFormat.keyByteCount {
                index.append(Place(prefix: MemoryFormat.word(next.payload[..<8]), position: position))
            }
            position = next.end
        }
        index.sort { ($0.prefix, $0.position) < ($1.prefix, $1.position) }
    }

    package func find(_ key: MemoryFormat.Key) -> Found? {
        var (low, high) = (0, index.count)
        while low < high {
            let middle = (low + high) / 2
            if index[middle].prefix < key.high { low = middle + 1 } else { high = middle }
        }
        while low < index.count, index[low].prefix == key.high {
            if let found = try? open(index[low].position, key) { return found }
            low += 1
        }
        return nil
    }

    private func open(_ position: UInt64, _ key: MemoryFormat.Key) throws(Failure) -> Found? {
        let item = try items.item(position)
        guard item.payload.starts(with: key.bytes) else { return nil }
        var decoder = CanonicalDecoder(item.payload, "a remembered file")
        _ = try decoder.raw(MemoryFormat.keyByteCount)
        let back = try decoder.number(atMost: position)
        let content = try ContentRef(from: &decoder)
        let attributes = try decoder.list(atMost: 65536, smallest: 2) {
            (inner: inout CanonicalDecoder) throws(Failure) in
            TreeEntry.ExtendedAttribute(name: try inner.string(), value: try inner.string())
        }
        try decoder.finish()
        return Found(content: content, attributes: attributes, chunks: position - back..<position)
    }

    /// Calls `take` with each stretch of the ids in that range; false as soon as `take` says so or they cannot be read.
    package func forEachStretch(in range: Range<UInt64>, _ take: ([UInt8]) -> Bool) -> Bool {
        var position = range.lowerBound
        while position < range.upperBound {
            guard let next = try? items.item(position), next.kind == .chunks,
                next.payload.count % Digest.byteCount == 0,
                take(next.payload)
            else { return false }
            position = next.end
        }
        return position == range.upperBound
    }
}
