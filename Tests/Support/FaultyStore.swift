package import ObjectStore
package import Platform
import Synchronization

/// Wraps a store in the misfortunes that networks and disks bring, out of a seed.
package final class FaultyStore: MendingStore, RetainingStore {
    /// Each rate is a chance in a thousand.
    package struct Faults: Sendable {
        /// Puts and deletes that end in `.unknownOutcome`, done or not done.
        package var lostAcknowledgements = 0
        /// Calls that end in `.unreachable`, not done.
        package var refusals = 0
        /// Gets with one bit turned.
        package var bitFlips = 0
        /// Puts that are made once more, some calls later: a duplicate held up in a network.
        package var lateDuplicates = 0
        /// After this many calls every call fails, as for a process that died; nil for never.
        package var crashAfter: Int?
        /// Whether the call at which it dies is still done.
        package var crashingCallIsDone = false

        package init() {}
    }

    private struct State {
        var seed: Seed
        var faults: Faults
        var calls = 0
        var changes: [Int] = []
        var late: [(due: Int, key: StoreKey, bytes: [UInt8], use: StoreUse)] = []
    }

    private let inner: any ObjectStore
    private let state: Mutex<State>
    package var location: String { inner.location }

    package init(_ inner: any ObjectStore, seed: UInt64, _ configure: (inout Faults) -> Void) {
        self.inner = inner
        var faults = Faults()
        configure(&faults)
        state = Mutex(State(seed: Seed(seed), faults: faults))
    }

    /// Calls made so far: run once without a crash to learn at which counts one can crash.
    package var calls: Int { state.withLock { $0.calls } }
    /// Which of the calls, counted from 0, were to change something.
    package var changes: [Int] { state.withLock { $0.changes } }
    package var isDead: Bool { state.withLock { state in state.faults.crashAfter.map { state.calls > $0 } ?? false } }

    /// What becomes of one call.
    private enum Fate { case done, unreachable, dead, dyingButDone, unknownDone, unknownNotDone }

    private func fate(changing: Bool) -> Fate {
        deliverLate()
        return state.withLock { state in
            if changing { state.changes.append(state.calls) }
            state.calls += 1
            if let crash = state.faults.crashAfter, state.calls > crash {
                return state.calls == crash + 1 && state.faults.crashingCallIsDone && changing ? .dyingButDone : .dead
            }
            let dice = state.seed.below(1000)
            if dice < state.faults.refusals { return .unreachable }
            if changing && dice < state.faults.refusals + state.faults.lostAcknowledgements {
                return state.seed.below(2) == 0 ? .unknownDone : .unknownNotDone
            }
            return .done
        }
    }

    private func deliverLate() {
        let due = state.withLock { state in
            let due = state.late.filter { $0.due <= state.calls }
            state.late.removeAll { $0.due <= state.calls }
            return due
        }
        for put in due { try? inner.put(put.key, put.bytes, use: put.use) }
    }

    private func change(_ what: String, _ body: () throws(Failure) -> Void) throws(Failure) {
        switch fate(changing: true) {
        case .done: try body()
        case .dead: throw Self.died
        case .dyingButDone:
            try? body()
            throw Self.died
        case .unreachable: throw Failure(.unreachable, "\(what): no answer from \(location)")
        case .unknownDone:
            try? body()
            throw Failure(.unknownOutcome, "\(what): the answer from \(location) was lost")
        case .unknownNotDone: throw Failure(.unknownOutcome, "\(what): the answer from \(location) was lost")
        }
    }

    private func look<Result>(_ what: String, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        switch fate(changing: false) {
        case .dead, .dyingButDone: throw Self.died
        case .unreachable: throw Failure(.unreachable, "\(what): no answer from \(location)")
        case .done, .unknownDone, .unknownNotDone: return try body()
        }
    }

    /// What every call of a dead process ends with.
    package static let died = Failure(.cancelled, "the process died here")

    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        try change("putting \(key)") { () throws(Failure) in try inner.put(key, copy, use: use) }
        state.withLock { state in
            guard state.seed.below(1000) < state.faults.lateDuplicates else { return }
            let due = state.calls + 1 + state.seed.below(50)
            state.late.append((due, key, copy, use))
        }
    }

    package func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        guard let inner = inner as? any MendingStore else {
            throw Failure(.refused, "\(location) replaces nothing")
        }
        try change("replacing \(key)") { () throws(Failure) in try inner.replace(key, copy, use: use) }
    }

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        var bytes = try look("getting \(key)") { () throws(Failure) in try inner.get(key, range: range) }
        state.withLock { state in
            guard !bytes.isEmpty, state.seed.below(1000) < state.faults.bitFlips else { return }
            bytes[state.seed.below(bytes.count)] ^= 1 << UInt8(state.seed.below(8))
        }
        return bytes
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? {
        try look("asking for \(key)") { () throws(Failure) in try inner.length(of: key) }
    }

    package func delete(_ key: StoreKey) throws(Failure) {
        try change("deleting \(key)") { () throws(Failure) in try inner.delete(key) }
    }

    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try look("listing") { () throws(Failure) in try inner.list(prefix: prefix, after: after, limit: limit) }
    }

    package func space() throws(Failure) -> StoreSpace? {
        try look("asking for space") { () throws(Failure) in try inner.space() }
    }

    package func retain(_ key: StoreKey) throws(Failure) {
        guard let inner = inner as? any RetainingStore else { return }
        try change("retaining \(key)") { () throws(Failure) in try inner.retain(key) }
    }

    package func lockedUntil(_ key: StoreKey) throws(Failure) -> Timestamp? {
        guard let inner = inner as? any RetainingStore else { return nil }
        return try look("asking for the lock of \(key)") { () throws(Failure) in try inner.lockedUntil(key) }
    }
}
