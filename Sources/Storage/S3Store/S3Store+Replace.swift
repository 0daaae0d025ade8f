package import ObjectStore
package import Platform

/// S3 overwrites unless it is told not to, and shows readers the old object or the new one, whole.
extension S3Store: MendingStore {
    package func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try overwrite(key, bytes)
    }

    func overwrite(
        _ key: StoreKey, _ bytes: borrowing RawSpan, headers: [(name: String, value: String)] = []
    ) throws(Failure) {
        try requireWriting()
        try unsafe bytes.withUnsafeBytes { buffer throws(Failure) in
            let what = "replacing \(key)"
            let settled = try client.send(what, S3Call(.put, full(key), headers: headers), unsafe Payload(buffer))
            guard (200...299).contains(settled.answer.status) else { throw definite(what, settled) }
        }
    }
}
