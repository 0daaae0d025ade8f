internal import ObjectStore
internal import Platform

extension LockedBucket {
    /// What the store says of one version's lock.
    private struct Held {
        var until: Timestamp
        /// As S3 writes it.
        var mode: String
    }

    // MARK: - Extending

    /// Asks the store once in a run and object how long it is locked, and extends what is too short.
    func retain(_ key: StoreKey) throws(Failure) {
        let lock = try requireLock()
        let surroundings = store.client.surroundings
        if let end = known[key]?.lockedUntil, lock.isMet(by: end, now: surroundings.now()) { return }
        if known[key] == nil { _ = try resolve(key) }
        guard let version = known[key]?.version else { throw store.absent(key) }
        var problem: Failure?
        // Once more after a refusal: another program may have extended it further meanwhile.
        for _ in 0..<2 {
            guard let held = try lockOf(key, version) else {
                known[key] = nil
                throw store.absent(key)
            }
            let now = surroundings.now()
            if lock.isMet(by: held.until, now: now) {
                return known.note(lock: held.until, of: version, key)
            }
            if let problem { throw problem }
            try store.requireWriting()
            let end = lock.end(now: now)
            // A change of mode is a lifting in the store's eyes: what is locked stays in the mode that it has.
            problem = try extend(key, version, to: end, mode: held.mode.isEmpty ? lock.mode.word : held.mode)
            if problem == nil { return known.note(lock: end, of: version, key) }
        }
    }

    /// - Returns: why it was refused.
    private func extend(
        _ key: StoreKey, _ version: ObjectVersion, to end: Timestamp, mode: String
    ) throws(Failure) -> Failure? {
        let what = "extending the lock of \(key)"
        let text = Array(
            ("<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>\(mode)</Mode>"
                + "<RetainUntilDate>\(ObjectLock.text(end))</RetainUntilDate></Retention>").utf8)
        let call = S3Call(
            .put, store.full(key), query: [("retention", "")] + version.query,
            headers: [("content-type", "application/xml")])
        let settled = try unsafe text.span.bytes.withUnsafeBytes { body throws(Failure) -> S3Client.Settled in
            try store.client.send(what, call, unsafe Payload(body))
        }
        return (200...299).contains(settled.answer.status) ? nil : store.client.refusal(what, settled.answer)
    }

    /// Nil for a version that is not there; the distant past for one that is not locked.
    private func lockOf(_ key: StoreKey, _ version: ObjectVersion) throws(Failure) -> Held? {
        let what = "asking how long \(key) is locked"
        let answer = try store.client.send(what, S3Call(.head, store.full(key), query: version.query)).answer
        switch answer.status {
        case 200: break
        case 404: return nil
        default: throw store.client.refusal(what, answer)
        }
        guard !answer.lockUntil.isEmpty else { return Held(until: Timestamp(nanoseconds: .min), mode: "") }
        guard let until = ObjectLock.time(answer.lockUntil),
            [ObjectLock.Mode.governance, .compliance].map(\.word).contains(answer.lockMode)
        else { throw Failure(.failed, "\(what): \(location) says it in no way that is known") }
        return Held(until: until, mode: answer.lockMode)
    }

    // MARK: - Deleting

    /// From when on every version of it can be deleted.
    func lockedUntil(_ key: StoreKey) throws(Failure) -> Timestamp? {
        var latest: Timestamp?
        for entry in try entries(of: key) where !entry.isMarker {
            let version = ObjectVersion(id: entry.version, length: entry.length)
            guard let held = try lockOf(key, version) else { continue }
            latest = max(latest ?? held.until, held.until)
        }
        return latest.flatMap { $0 > store.client.surroundings.now() ? $0 : nil }
    }

    /// Deletes every version, so that space comes back, and the delete markers last. What is still locked stays.
    /// - Throws: `.refused` with the date when something does.
    func delete(_ key: StoreKey) throws(Failure) {
        try store.requireWriting()
        known[key] = nil
        let found = try entries(of: key)
        var latest: Timestamp?
        for entry in found where !entry.isMarker {
            let version = ObjectVersion(id: entry.version, length: entry.length)
            guard let held = try lockOf(key, version) else { continue }
            if held.until > store.client.surroundings.now() {
                latest = max(latest ?? held.until, held.until)
            } else {
                try delete(key, version.query)
            }
        }
        if let latest {
            throw Failure(
                .refused, "\(key) in \(location) is locked until \(ObjectLock.text(latest))",
                advice: "It can be deleted from then on")
        }
        for entry in found where entry.isMarker { try delete(key, [("versionId", entry.version)]) }
        // Of very many, those in the middle were not named.
        if found.count >= Self.mostKept { try delete(key) }
    }

    private func delete(_ key: StoreKey, _ query: [(name: String, value: String)]) throws(Failure) {
        let what = "deleting a version of \(key)"
        let settled = try store.client.send(what, S3Call(.delete, store.full(key), query: query))
        switch settled.answer.status {
        case 200...299: return
        case 404 where !store.isAboutBucket(settled.answer): return
        default: throw store.definite(what, settled)
        }
    }
}
