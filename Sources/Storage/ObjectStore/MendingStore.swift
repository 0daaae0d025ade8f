package import Platform

/// A store in which a damaged object can be written over by what it was: for repair alone.
///
/// Everything else relies on that a key which was put is never overwritten. `replace` breaks no promise of that: who
/// calls it knows by a hash, out of a name or of the log, the one content that the key can rightly have. So two that replace the
/// same key bring the same bytes, and one that arrives late changes nothing. A deletion followed by a put would have a
/// moment in which the key is free for somebody else's record, and a deletion that arrives late would lose the object.
package protocol MendingStore: ObjectStore {
    /// Puts `bytes` in place of whatever lies under `key`. Readers see the one or the other, whole, and never neither;
    /// once it has returned, the bytes survive a power cut.
    /// - Throws: as `put` does, but for `.exists`.
    func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure)
}

extension MendingStore {
    /// Replaces by the bytes of an array.
    package func replace(_ key: StoreKey, _ bytes: [UInt8], use: StoreUse) throws(Failure) {
        try unsafe replace(key, bytes.span.bytes, use: use)
    }
}
