package import ObjectStore
package import Platform
import Synchronization

/// A store in memory that is stricter than any real one: it refuses a name that was ever used, deleted or not, and
/// names of a shape that the repository does not use; it counts what it is asked. What passes here does not
/// depend on the kindness of a store.
package final class StrictStore: MendingStore {
    package struct Counts: Sendable, Equatable {
        package var puts = 0
        package var gets = 0
        package var lengths = 0
        package var deletes = 0
        package var lists = 0
        package var bytesPut: UInt64 = 0
        package var bytesGot: UInt64 = 0
    }

    private struct State {
        var objects: [String: [UInt8]] = [:]
        var used: Set<String> = []
        var counts = Counts()
        var torn: Seed?
        /// Keys that are there and cannot be read.
        var spoilt: Set<String> = []
        /// Puts below this are acknowledged and nothing is kept.
        var swallowed: String?
        var capacity: UInt64?
        var reserve: UInt64 = 0
        var stored: UInt64 = 0
    }

    package let location: String
    private let state: Mutex<State>
    private let shapes: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - shapes: whether a key has a shape that the repository uses.
    ///   - tornListings: leaves objects out of lists, as a store without consistent listing would.
    ///   - capacity: bytes after which puts fail with `.full`.
    ///   - reserve: bytes of these that puts of data leave free.
    package init(
        _ location: String = "memory", shapes: @escaping @Sendable (String) -> Bool = { _ in true },
        tornListings: UInt64? = nil, capacity: UInt64? = nil, reserve: UInt64 = 0
    ) {
        self.location = location
        self.shapes = shapes
        var state = State()
        state.torn = tornListings.map { Seed($0) }
        state.capacity = capacity
        state.reserve = reserve
        self.state = Mutex(state)
    }

    package var counts: Counts { state.withLock { $0.counts } }
    /// Every key there is, ordered.
    package var keys: [String] { state.withLock { $0.objects.keys.sorted() } }

    /// A store with the same objects, for comparing what happens next.
    package func copy() -> StrictStore {
        let copied = StrictStore(location, shapes: shapes)
        let (objects, used, stored) = state.withLock { ($0.objects, $0.used, $0.stored) }
        copied.state.withLock {
            $0.objects = objects
            $0.used = used
            $0.stored = stored
        }
        return copied
    }

    /// Damages what is stored behind everybody's back.
    package func alter(_ key: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { if $0.objects[key] != nil { body(&$0.objects[key, default: []]) } }
    }

    /// Loses an object behind everybody's back.
    package func lose(_ key: String) { state.withLock { _ = $0.objects.removeValue(forKey: key) } }

    /// As if it had never been put: what a vault looks like that was put back from an older copy.
    package func forget(_ key: String) {
        state.withLock {
            $0.objects[key] = nil
            $0.used.remove(key)
        }
    }

    /// A bad sector under an object, until it is replaced.
    package func spoil(_ key: String) { state.withLock { _ = $0.spoilt.insert(key) } }

    /// From here on acknowledges puts below a folder and keeps nothing of them.
    package func swallow(_ folder: String) { state.withLock { $0.swallowed = folder + "/" } }

    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        guard shapes(key.text) else { throw Failure(.usage, "\(key) has no shape that this repository uses") }
        let failure: Failure? = state.withLock { state in
            state.counts.puts += 1
            if let swallowed = state.swallowed, key.text.hasPrefix(swallowed) { return nil }
            if state.objects[key.text] != nil { return Failure(.exists, "\(key) is already in \(location)") }
            if state.used.contains(key.text) { return Failure(.usage, "\(key) was used before: a name is used once") }
            let kept = use == .data ? state.reserve : 0
            if let capacity = state.capacity, state.stored + UInt64(copy.count) + kept > capacity {
                return Failure(.full, "\(location) is full")
            }
            state.used.insert(key.text)
            state.objects[key.text] = copy
            state.stored += UInt64(copy.count)
            state.counts.bytesPut += UInt64(copy.count)
            return nil
        }
        if let failure { throw failure }
    }

    package func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        state.withLock { state in
            state.counts.puts += 1
            state.spoilt.remove(key.text)
            state.used.insert(key.text)
            state.stored -= UInt64(state.objects[key.text]?.count ?? 0)
            state.objects[key.text] = copy
            state.stored += UInt64(copy.count)
            state.counts.bytesPut += UInt64(copy.count)
        }
    }

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        let (found, isSpoilt) = state.withLock { state in
            state.counts.gets += 1
            return (state.objects[key.text], state.spoilt.contains(key.text))
        }
        if isSpoilt { throw Failure(.failed, "cannot read \(key) in \(location)") }
        guard let object = found else { throw Failure(.notFound, "\(key) is not in \(location)") }
        guard range.upperBound <= UInt64(object.count) else {
            throw Failure(.damaged, "\(key) in \(location) ends at \(object.count), before \(range.upperBound)")
        }
        state.withLock { $0.counts.bytesGot += UInt64(range.count) }
        return Array(object[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? {
        state.withLock { state in
            state.counts.lengths += 1
            return state.objects[key.text].map { UInt64($0.count) }
        }
    }

    package func delete(_ key: StoreKey) throws(Failure) {
        state.withLock { state in
            state.counts.deletes += 1
            if let object = state.objects.removeValue(forKey: key.text) { state.stored -= UInt64(object.count) }
        }
    }

    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        state.withLock { state in
            state.counts.lists += 1
            var found = state.objects.compactMap { text, bytes in
                StoreKey(text).map { StoredObject(key: $0, length: UInt64(bytes.count)) }
            }
            found = found.filter { object in
                object.key.text.utf8.starts(with: prefix.utf8) && (after.map { $0 < object.key } ?? true)
            }
            if var torn = state.torn {
                found = found.filter { _ in torn.below(3) != 0 }
                state.torn = torn
            }
            return Array(found.sorted { $0.key < $1.key }.prefix(max(0, limit)))
        }
    }

    package func space() throws(Failure) -> StoreSpace? {
        state.withLock { state in
            state.capacity.map { StoreSpace(total: $0, free: $0 - min($0, state.stored)) }
        }
    }
}
