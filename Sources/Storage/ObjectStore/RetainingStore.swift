package import Platform

/// A store that locks data for a term: until then nobody deletes it, whoever holds the store's credentials.
///
/// Which objects are locked is the store's to know. For all others `retain` does nothing and `lockedUntil` is nil, so that a
/// store which wraps others may conform whatever they do. A `put` or `replace` locks what it puts; `delete` throws
/// `.refused` while it is locked.
package protocol RetainingStore: ObjectStore {
    /// Sees that the object stays locked for at least the store's term from now; a lock is never shortened. Where it does
    /// so already, by the store's own word, nothing is changed.
    /// - Throws: `.notFound`; `.refused` where the store does not do it; `.unreachable`; `.unknownOutcome`; `.failed`.
    func retain(_ key: StoreKey) throws(Failure)

    /// From when on the object can be deleted, by the store's own word; nil where it can be now, or is not there.
    func lockedUntil(_ key: StoreKey) throws(Failure) -> Timestamp?
}
