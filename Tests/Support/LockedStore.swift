package import ObjectStore
package import Platform
import Synchronization

/// A store of which some folders are locked for a term, stricter than a real one: a lock lasts to the nanosecond and no longer
/// than the term, so that whoever does not extend it in time is found out; whoever tries to delete what is locked is
/// counted; and it can refuse to extend.
package final class LockedStore: MendingStore, RetainingStore {
    private struct State {
        var ends: [String: Timestamp] = [:]
        var asked: [String] = []
        var extended: [String] = []
        var refusing: Set<String> = []
        var vainDeletes: [String] = []
    }

    private let inner: any MendingStore
    private let folders: Set<String>
    private let term: Int64
    private let now: @Sendable () -> Timestamp
    private let state = Mutex(State())
    package var location: String { inner.location }

    /// - Parameters:
    ///   - term: in seconds.
    ///   - now: what the store takes to be the time.
    package init(
        _ inner: any MendingStore, folders: Set<String>, term: Int64, now: @escaping @Sendable () -> Timestamp
    ) {
        self.inner = inner
        self.folders = folders
        self.term = term
        self.now = now
    }

    /// Until when each object is locked, by key.
    package var ends: [String: Timestamp] { state.withLock { $0.ends } }
    /// Objects that `retain` was called for, and those whose lock it extended.
    package var asked: [String] { state.withLock { $0.asked } }
    package var extended: [String] { state.withLock { $0.extended } }
    /// Locked objects that somebody tried to delete.
    package var vainDeletes: [String] { state.withLock { $0.vainDeletes } }
    package func forgetAsked() { state.withLock { ($0.asked, $0.extended) = ([], []) } }
    /// Extends the locks in this folder no more.
    package func refuse(_ folder: String) { state.withLock { _ = $0.refusing.insert(folder) } }

    private func isLocked(_ key: StoreKey) -> Bool { folders.contains(String(key.text.prefix { $0 != "/" })) }
    private func end() -> Timestamp { Timestamp(nanoseconds: now().nanoseconds + term * 1_000_000_000) }

    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.put(key, bytes, use: use)
        if isLocked(key) { state.withLock { $0.ends[key.text] = end() } }
    }

    package func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.replace(key, bytes, use: use)
        if isLocked(key) { state.withLock { $0.ends[key.text] = end() } }
    }

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        try inner.get(key, range: range)
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: key) }

    package func delete(_ key: StoreKey) throws(Failure) {
        if let until = try lockedUntil(key) {
            state.withLock { $0.vainDeletes.append(key.text) }
            throw Failure(.refused, "\(key) is locked until \(until.utc)")
        }
        try inner.delete(key)
        state.withLock { $0.ends[key.text] = nil }
    }

    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try inner.list(prefix: prefix, after: after, limit: limit)
    }

    package func space() throws(Failure) -> StoreSpace? { try inner.space() }

    package func retain(_ key: StoreKey) throws(Failure) {
        guard isLocked(key) else { return }
        guard try inner.length(of: key) != nil else { throw Failure(.notFound, "\(key) is not in \(location)") }
        let end = end()
        let isRefused = state.withLock { state in
            state.asked.append(key.text)
            if state.refusing.contains(where: { key.text.hasPrefix($0 + "/") }) { return true }
            if let until = state.ends[key.text], until >= end { return false }
            state.ends[key.text] = end
            state.extended.append(key.text)
            return false
        }
        if isRefused { throw Failure(.refused, "the lock of \(key) is not extended: no right to") }
    }

    package func lockedUntil(_ key: StoreKey) throws(Failure) -> Timestamp? {
        let now = now()
        return state.withLock { $0.ends[key.text].flatMap { $0 > now ? $0 : nil } }
    }
}
