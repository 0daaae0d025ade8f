package import ObjectStore
package import Platform

/// A vault over two buckets, under the same prefix in each: data in one with Object Lock, in which nobody can delete it before
/// its time; the log, and whatever else must be put conditionally or really deleted, in another that is neither locked nor
/// versioned.
///
/// A key lies in the one or the other by its first component. That the vault lies in two is written in the first, under
/// `data-bucket`, so that it is never opened by halves: a program that knew one bucket only would take the data for lost, or
/// for deleted.
package struct LockedVault: MendingStore, RetainingStore {
    package let location: String
    private let log: S3Store
    private let data: LockedBucket

    /// Names the locked bucket, in the other one.
    static let mark = "data-bucket"

    /// - Parameter lock: for how long; nil is enough to read.
    init(_ log: S3Store, _ data: LockedBucket, location: String) {
        self.log = log
        self.data = data
        self.location = location
    }

    private func isLocked(_ key: StoreKey) -> Bool { data.names.contains(key) }

    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        if isLocked(key) { try data.put(key, bytes, use: use) } else { try log.put(key, bytes, use: use) }
    }

    package func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        if isLocked(key) { try data.replace(key, bytes) } else { try log.replace(key, bytes, use: use) }
    }

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        try isLocked(key) ? data.get(key, range: range) : log.get(key, range: range)
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? {
        try isLocked(key) ? data.length(of: key) : log.length(of: key)
    }

    package func delete(_ key: StoreKey) throws(Failure) {
        if isLocked(key) { try data.delete(key) } else { try log.delete(key) }
    }

    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        guard limit > 0 else { return [] }
        if prefix.contains("/") {
            return data.names.folders.contains(LockedNames.folder(prefix))
                ? try data.list(prefix: prefix, after: after, limit: limit)
                : try log.list(prefix: prefix, after: after, limit: limit)
        }
        // One more than is wanted, for what is this store's own and no object of the vault.
        var all = try log.list(prefix: prefix, after: after, limit: limit + 1).filter { $0.key.text != Self.mark }
        // Folder by folder: what a stranger put beside them is not seen.
        var count = 0
        for folder in data.names.folders.map({ $0 + "/" }).sorted() where folder.hasPrefix(prefix) && count < limit {
            let objects = try data.list(prefix: folder, after: after, limit: limit - count)
            count += objects.count
            all += objects
        }
        all.sort { $0.key < $1.key }
        return Array(all.prefix(limit))
    }

    package func space() throws(Failure) -> StoreSpace? { nil }

    // MARK: - Locks

    package func retain(_ key: StoreKey) throws(Failure) { if isLocked(key) { try data.retain(key) } }

    package func lockedUntil(_ key: StoreKey) throws(Failure) -> Timestamp? {
        isLocked(key) ? try data.lockedUntil(key) : nil
    }
}
