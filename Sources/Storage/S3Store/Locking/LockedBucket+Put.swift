internal import ObjectStore
internal import Platform

extension LockedBucket {
    /// Puts if nothing is there, on servers that know no such thing in versioned buckets too.
    ///
    /// 1. A name that is taken is refused, so that nothing is put, and locked, in vain.
    /// 2. The object is put with its lock, as one more version whatever came between.
    /// 3. Of all versions the oldest that is right counts, and the store says which that is: whoever put it has won.
    ///
    /// Names of this bucket end in the digest of their bytes and the session that puts them. So two that race for one are
    /// two tries of one put with the same bytes, and the second costs its space until its lock ends, and nothing else.
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let lock = try requireLock()
        try store.requireWriting()
        // 1.
        guard try entries(of: key).allSatisfy(\.isMarker) else { throw store.taken(key) }
        try unsafe bytes.withUnsafeBytes { buffer throws(Failure) in
            // 2.
            let headers = lock.headers(now: store.client.surroundings.now())
            let put = try unsafe store.upload(key, buffer, use: use, headers: headers)
            // 3.
            guard let counts = try resolve(key) else {
                throw Failure(.unknownOutcome, "\(key) is not in \(location) after it was put")
            }
            if counts.id != put.version {
                // Another's, unless it is an earlier try of ours, whose answer was lost.
                guard put.mayBeAgain, try unsafe get(key, range: 0..<counts.length).elementsEqual(buffer) else {
                    throw store.taken(key)
                }
            }
            // Ceph 16 takes no notice of the lock that an upload in parts began with.
            if buffer.count > store.options.multipartBytes { try retain(key) }
        }
    }

    /// Puts one more version. If it is the first that is right, it counts from now on; otherwise the name had what it
    /// promises.
    func replace(_ key: StoreKey, _ bytes: borrowing RawSpan) throws(Failure) {
        let lock = try requireLock()
        known[key] = nil
        try store.overwrite(key, bytes, headers: lock.headers(now: store.client.surroundings.now()))
    }

    func requireLock() throws(Failure) -> ObjectLock {
        guard let lock else { throw ObjectLock.hasNoTerm(in: store.client.settings.bucket) }
        return lock
    }
}
