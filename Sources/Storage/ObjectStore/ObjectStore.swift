package import Platform

/// Where sealed bytes rest: the contract that every store of a vault keeps.
///
/// Guarantees, each proven for a store by the conformance suite:
/// 1. **Put-if-absent is linearizable**: of any number of racing puts of one key exactly one returns; the others
///    throw `.exists`. A key that was put is never overwritten. (Deleting frees a key in the store's eyes; the
///    repository never uses a name twice.)
/// 2. **Read after write**: once a put has returned, every read and list of any client sees the whole object;
///    before that, readers see nothing of it, and a crash leaves nothing of it under its key.
/// 3. **Durable**: once a put has returned, the object survives a power cut.
/// 4. **Ranged get** returns exactly the bytes asked for, or throws: `.notFound`, or `.damaged` when the object
///    ends before the range does. Never fewer bytes.
/// 5. **Delete** is idempotent: deleting what is not there succeeds.
/// 6. **List** is ordered by key and complete for objects whose put returned before the call and that were not
///    deleted meanwhile. It is used as a hint only.
/// 7. **One object** that is there and that whoever asks may not read is `.damaged`, like one whose bytes are lost: the
///    others can be read. Where the same forbids everything, or it cannot be told, it is `.refused`.
/// 8. `.unknownOutcome` is the only error after which a put or delete may have happened. Reading the object back does
///    not settle it, since what can be read may still not survive a power cut: putting it again does. `.exists` says
///    that what stands there is durable.
///
/// Calls block. They are made from threads of the engine, never from the cooperative pool. Stores are safe to call
/// from several threads at once.
package protocol ObjectStore: Sendable {
    /// Where it is, for people: a path or an address, never with a credential.
    var location: String { get }

    /// Puts `bytes` under `key` if nothing is there.
    /// - Throws: `.exists`; `.full` (also when a `.data` put would eat the reserve); `.unknownOutcome`; `.refused`
    ///   for a store opened read-only; `.unreachable`; `.failed`.
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure)

    /// Exactly `range` of the object.
    /// - Throws: `.notFound`; `.damaged` (shorter than the range, or not to be read by whoever asks); `.unsuited` (no parts
    ///   are to be had); `.refused`; `.unreachable`; `.failed`.
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8]

    /// The object's length in bytes, or nil when it is not there.
    func length(of key: StoreKey) throws(Failure) -> UInt64?

    func delete(_ key: StoreKey) throws(Failure)

    /// Up to `limit` objects whose key starts with `prefix` and lies after `after`, in bytewise order of keys.
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject]

    /// Total and free bytes of what the store lies on; nil where that has no meaning.
    func space() throws(Failure) -> StoreSpace?
}

/// What a put is for: a full vault refuses data first, so that the log can still be appended and the vault emptied.
package enum StoreUse: Sendable { case data, log }

/// What a store is opened for.
package enum StoreAccess: Sendable { case reading, writing }

package struct StoredObject: Sendable, Equatable {
    package var key: StoreKey
    package var length: UInt64
    package init(key: StoreKey, length: UInt64) {
        self.key = key
        self.length = length
    }
}

package struct StoreSpace: Sendable, Equatable {
    package var total: UInt64
    package var free: UInt64
    package init(total: UInt64, free: UInt64) {
        self.total = total
        self.free = free
    }
}

/// The name of an object: components of `a-z 0-9 . _ -` joined by `/`, none empty or starting with a dot, at most
/// 512 bytes in all. One spelling a name; nothing in it can climb out of a store.
package struct StoreKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let text: String
    package static let longest = 512

    package init?(_ text: String) {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= Self.longest else { return nil }
        var atStart = true
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                atStart = false
            case UInt8(ascii: "."):
                if atStart { return nil }
            case UInt8(ascii: "/"):
                if atStart { return nil }
                atStart = true
            default: return nil
            }
        }
        if atStart { return nil }
        self.text = text
    }

    package static func < (left: StoreKey, right: StoreKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
    package var description: String { text }
}

extension Failure {
    /// `.damaged`: one object of a store is there, and whoever asks may not read it.
    /// - Parameter reason: the store's words for that.
    package static func unreadable(_ key: StoreKey, in location: String, _ reason: String) -> Failure {
        Failure(
            .damaged, "\(key) in \(location) cannot be read: \(reason)",
            advice: "Nothing was changed. Look at its owner and mode, or at what the store allows of it; the vault's "
                + "other objects can be read.")
    }
}

extension ObjectStore {
    /// The whole object, refused when it is longer than `limit` bytes: every length read is bounded.
    package func get(_ key: StoreKey, atMost limit: UInt64) throws(Failure) -> [UInt8] {
        guard let length = try length(of: key) else {
            throw Failure(.notFound, "\(key) is not in \(location)")
        }
        guard length <= limit else {
            throw Failure(.damaged, "\(key) in \(location) has \(length) bytes where at most \(limit) can be right")
        }
        return try get(key, range: 0..<length)
    }

    /// Every object under `prefix`, page by page.
    package func forEach(prefix: String, _ body: (StoredObject) throws -> Void) throws {
        var after: StoreKey?
        while true {
            let page = try list(prefix: prefix, after: after, limit: 1000)
            for object in page { try body(object) }
            guard let last = page.last else { return }
            after = last.key
        }
    }
}
