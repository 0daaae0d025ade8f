package import Platform

/// Whether a store keeps the part of its contract that the log of a repository stands on, found out by trying.
///
/// Run when a vault is initialised and when it is opened for writing. A store that fails is opened for reading
/// only, with the reason: on a store that overwrites, two appenders of one record would both believe they won.
package enum StoreProbe {
    /// The folder of what is put to find out.
    package static let folder = "probe"

    /// Puts an object under `probe/`, and sees that a second put is refused, that what was put reads back, whole
    /// and in part, and that it is gone once deleted.
    /// - Throws: `.refused` or `.unsuited` when the contract is not kept; what the store throws when it does not work at all.
    package static func run(on store: any ObjectStore, _ surroundings: Surroundings) throws(Failure) {
        let mark = surroundings.random(16)
        guard let key = StoreKey(folder + "/" + Hex.encode(mark)) else {
            throw Failure(.failed, "the name of the probe is no key")
        }
        let bytes = surroundings.random(64)
        try store.put(key, bytes, use: .log)
        do throws(Failure) {
            try examine(store, key, bytes)
        } catch {
            // The verdict matters more than the litter, which has a name of its own and is never read.
            try? store.delete(key)
            throw error
        }
        try store.delete(key)
        if try store.length(of: key) != nil { throw broken(store, "an object is still there after it was deleted") }
    }

    private static func examine(_ store: any ObjectStore, _ key: StoreKey, _ bytes: [UInt8]) throws(Failure) {
        for second in [bytes.map { ~$0 }, bytes] {
            do throws(Failure) {
                try store.put(key, second, use: .log)
            } catch {
                guard error.code == .exists else { throw error }
                continue
            }
            throw broken(store, "a second put of one key was not refused")
        }
        if try store.length(of: key) != UInt64(bytes.count) { throw broken(store, "the length is not that of the put") }
        let end = UInt64(bytes.count)
        if try store.get(key, range: 0..<end) != bytes { throw broken(store, "what is read is not what was put") }
        if try store.get(key, range: 16..<end) != Array(bytes[16...]) { throw broken(store, "a ranged get is wrong") }
    }

    private static func broken(_ store: any ObjectStore, _ what: String) -> Failure {
        Failure(
            .refused, "\(store.location) cannot be written to: \(what)",
            advice: "It can be read. Put the vault on a store with put-if-absent")
    }
}
