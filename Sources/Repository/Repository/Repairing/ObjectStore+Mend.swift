internal import ObjectStore
internal import Platform

extension ObjectStore {
    /// Puts the only bytes that a key can rightly have: if nothing is there, where nothing was found; otherwise in place of
    /// what is. Reads them back.
    /// - Throws: `.refused` for a store that replaces nothing; `.damaged` when the key turns out to have other bytes; what
    ///   the store throws.
    func mend(_ key: StoreKey, _ bytes: [UInt8], use: StoreUse, isMissing: Bool) throws(Failure) {
        if isMissing {
            try putSettled(key, bytes, use: use)
        } else {
            guard let store = self as? any MendingStore else {
                throw Failure(.refused, "\(location) is no store in which a damaged object can be replaced")
            }
            try store.replaceSettled(key, bytes, use: use)
        }
        guard try length(of: key) == UInt64(bytes.count), try get(key, range: 0..<UInt64(bytes.count)) == bytes else {
            throw Failure(.damaged, "\(key) in \(location) does not read back as it was put")
        }
    }
}

extension MendingStore {
    /// Replaces, and again while it is not known whether that was done: twice is as once.
    fileprivate func replaceSettled(_ key: StoreKey, _ bytes: [UInt8], use: StoreUse) throws(Failure) {
        for _ in 0..<20 {
            do throws(Failure) {
                return try replace(key, bytes, use: use)
            } catch  where error.code == .unknownOutcome { continue }
        }
        throw Failure(.unreachable, "whether \(key) was replaced could not be settled", advice: "Run it again.")
    }
}

extension Failure {
    /// It says something of one object, and the others can go on: neither that the store does not answer or serves for
    /// none of them, nor that the work is to stop.
    var isOfOneObject: Bool { ![.cancelled, .unreachable, .unknownOutcome, .unsuited].contains(code) }
}
