package import Platform

/// One page of ListObjectsV2.
package struct ListingPage {
    /// Whole keys of the bucket, as bytes: objects of strangers may have any name.
    package var objects: [(key: [UInt8], length: UInt64)] = []
    package var isTruncated = false

    /// - Throws: `.damaged` for what is no such page.
    package init(_ bytes: [UInt8]) throws(Failure) {
        var isEncoded = false
        var entry: (key: [UInt8]?, length: UInt64?) = (nil, nil)
        var isListing = false
        var (found, isTruncated): ([(key: [UInt8], length: UInt64)], Bool) = ([], false)
        try XMLScanner.scan(bytes) { path, text throws(Failure) in
            switch path {
            case ["ListBucketResult"]: isListing = true
            case ["ListBucketResult", "EncodingType"]: isEncoded = text == "url"
            case ["ListBucketResult", "IsTruncated"]: isTruncated = text == "true"
            case ["ListBucketResult", "Contents", "Key"]: entry.key = Array(text.utf8)
            case ["ListBucketResult", "Contents", "Size"]: entry.length = UInt64(text)
            case ["ListBucketResult", "Contents"]:
                guard let key = entry.key, let length = entry.length else {
                    throw Failure(.damaged, "a listing names an object without key or size")
                }
                found.append((key, length))
                entry = (nil, nil)
            default: break
            }
        }
        guard isListing else { throw Failure(.damaged, "an answer is no listing") }
        for index in found.indices {
            found[index].key = try PercentEncoding.listed(found[index].key, isEncoded: isEncoded)
        }
        objects = found
        self.isTruncated = isTruncated
    }
}
