import ObjectStore
import Platform
import Support
import Synchronization

/// A store of which this user may not read some objects, as a directory answers for a file of mode 0: they are there, with
/// their length, and can be replaced. Or in which there is no room.
final class ForbiddingStore: MendingStore {
    private let inner: StrictStore
    private let forbidden: Mutex<Set<String>>
    var location: String { inner.location }

    /// Puts of keys that begin so find no room.
    private let full: String?

    init(_ inner: StrictStore, _ keys: [String] = [], full: String? = nil) {
        self.inner = inner
        self.full = full
        forbidden = Mutex(Set(keys))
    }

    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        if forbidden.withLock({ $0.contains(key.text) }) {
            throw .unreadable(key, in: location, "Permission denied")
        }
        return try inner.get(key, range: range)
    }

    func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.replace(key, bytes, use: use)
        forbidden.withLock { _ = $0.remove(key.text) }
    }

    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        if let full, key.text.hasPrefix(full) { throw Failure(.full, "no room for \(key) in \(location)") }
        try inner.put(key, bytes, use: use)
    }

    func delete(_ key: StoreKey) throws(Failure) { try inner.delete(key) }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }
    func space() throws(Failure) -> StoreSpace? { try inner.space() }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }
}
