package import Platform

/// One page of ListObjectVersions: by key, and of each key from the newest version to the oldest.
package struct VersionsPage {
    package struct Entry: Equatable, Sendable {
        /// The whole key in the bucket, as bytes: objects of strangers may have any name.
        package var key: [UInt8]
        package var version: String
        package var length: UInt64
        /// Hides what is older, and is no object.
        package var isMarker: Bool
    }

    package var entries: [Entry] = []
    package var isTruncated = false

    /// - Throws: `.damaged` for what is no such page.
    package init(_ bytes: [UInt8]) throws(Failure) {
        var (isListing, isEncoded, isTruncated) = (false, false, false)
        var entry: (key: [UInt8]?, version: String?, length: UInt64?) = (nil, nil, nil)
        var found: [Entry] = []
        try XMLScanner.scan(bytes) { path, text throws(Failure) in
            guard path.first == "ListVersionsResult", path.count <= 3 else { return }
            switch path.dropFirst() {
            case []: isListing = true
            case ["EncodingType"]: isEncoded = text == "url"
            case ["IsTruncated"]: isTruncated = text == "true"
            case ["Version", "Key"], ["DeleteMarker", "Key"]: entry.key = Array(text.utf8)
            case ["Version", "VersionId"], ["DeleteMarker", "VersionId"]: entry.version = text
            case ["Version", "Size"]: entry.length = UInt64(text)
            case ["Version"], ["DeleteMarker"]:
                let isMarker = path.last == "DeleteMarker"
                guard let key = entry.key, let version = entry.version, (1...1024).contains(version.utf8.count),
                    let length = isMarker ? 0 : entry.length
                else { throw Failure(.damaged, "a listing names a version without key, id or size") }
                found.append(Entry(key: key, version: version, length: length, isMarker: isMarker))
                entry = (nil, nil, nil)
            default: break
            }
        }
        guard isListing else { throw Failure(.damaged, "an answer is no listing of versions") }
        for index in found.indices {
            found[index].key = try PercentEncoding.listed(found[index].key, isEncoded: isEncoded)
        }
        entries = found
        self.isTruncated = isTruncated
    }
}
