package import ObjectStore
package import Platform

/// Opens the vault at an address: in one bucket, or in two.
package enum S3Vault {
    /// - Parameters:
    ///   - settings: of the address, as the environment completes it.
    ///   - names: what lies in the locked bucket of those that have one.
    /// - Throws: `.refused` when the address names a locked bucket and the vault lies elsewhere, or the other way round; for
    ///   writing besides, when the bucket locks nothing; what `lock(of:in:for:)` and opening a bucket throw.
    package static func open(
        _ address: S3Address, _ settings: S3Settings, _ names: LockedNames, access: StoreAccess,
        surroundings: Surroundings, options: S3Store.Options = .init(), transport: (any HTTPTransport)? = nil
    ) throws(Failure) -> any MendingStore {
        func bucket(_ settings: S3Settings) throws(Failure) -> S3Store {
            try S3Store(
                settings, access: access, surroundings: surroundings, options: options, transport: transport)
        }
        let (locked, lock) = try lock(of: address, for: access)
        let log = try bucket(settings)
        let marked = try mark(of: log)
        guard let locked else {
            guard let marked else { return log }
            throw Failure(
                .refused, "\(log.location) is half a vault: its data lies in the locked bucket \(marked)",
                advice: "Add locked=\(marked) to the address")
        }
        guard marked == nil || marked == locked else {
            throw Failure(
                .refused, "the data of \(log.location) lies in the locked bucket \(marked ?? ""), and not in \(locked)",
                advice: "Name that one with locked=")
        }
        let data = LockedBucket(store: try bucket(settings.inBucket(locked)), names: names, lock: lock)
        let mark = log.location.contains("?") ? "&" : "?"
        let vault = LockedVault(log, data, location: "\(log.location)\(mark)locked=\(locked)")
        guard access == .writing else { return vault }
        try requireLocking(data)
        if marked == nil { try take(log, locked, names) }
        return vault
    }

    /// The locked bucket that an address names, and how it locks: what is wrong with that is said before anybody is asked.
    /// - Throws: `.usage` for what makes no sense, and for writing when the address does not say for how long to lock.
    package static func lock(
        of address: S3Address, for access: StoreAccess
    ) throws(Failure) -> (bucket: String?, lock: ObjectLock?) {
        let lock = try ObjectLock(address.parameters)
        guard let locked = address.parameters["locked"] else {
            guard lock == nil else {
                throw Failure(
                    .usage, "retain= and mode= are for a vault with a locked bucket", advice: "Name it: locked=")
            }
            return (nil, nil)
        }
        guard S3Address.isBucket(locked), locked != address.bucket else {
            throw Failure(
                .usage, "\(locked.prefix(64)) cannot be the locked bucket of a vault in \(address.bucket)",
                advice: "Name another bucket, which has Object Lock")
        }
        if access == .writing, lock == nil { throw ObjectLock.hasNoTerm(in: locked) }
        return (locked, lock)
    }

    // MARK: - The mark

    private static func key() throws(Failure) -> StoreKey {
        guard let key = StoreKey(LockedVault.mark) else { throw Failure(.failed, "the name of the mark is no key") }
        return key
    }

    private static func mark(of log: S3Store) throws(Failure) -> String? {
        do throws(Failure) {
            let text = String(decoding: try log.get(try key(), atMost: 64), as: UTF8.self)
            guard S3Address.isBucket(text) else {
                throw Failure(.damaged, "\(LockedVault.mark) in \(log.location) names no bucket")
            }
            return text
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// Writes down that the data lies elsewhere, unless some lies here.
    private static func take(_ log: S3Store, _ locked: String, _ names: LockedNames) throws(Failure) {
        for folder in names.folders.sorted() {
            guard try log.list(prefix: folder + "/", after: nil, limit: 1).isEmpty else {
                throw Failure(
                    .refused, "\(log.location) is a vault in one bucket, with its data in it",
                    advice: "Nothing was changed. Make a new vault with locked=, and copy the repository there")
            }
        }
        do throws(Failure) {
            try log.put(try key(), Array(locked.utf8), use: .log)
        } catch {
            // Another program of this vault was as quick.
            guard error.code == .exists, try mark(of: log) == locked else { throw error }
        }
    }

    // MARK: - The lock

    private static func requireLocking(_ data: LockedBucket) throws(Failure) {
        let what = "asking whether \(data.store.client.settings.bucket) locks"
        let answer = try data.store.client.send(what, S3Call(.get, query: [("object-lock", "")])).answer
        if answer.status == 404 || answer.status == 400, !data.store.isAboutBucket(answer) {
            throw Failure(
                .refused,
                "bucket \(data.store.client.settings.bucket) has no Object Lock: nothing in it could be locked",
                advice: "Nothing was changed. Object Lock is set when a bucket is made: make one with it, and name that"
            )
        }
        guard answer.status == 200 else { throw data.store.client.refusal(what, answer) }
        var isEnabled = false
        try XMLScanner.scan(answer.content) { path, text in
            if path == ["ObjectLockConfiguration", "ObjectLockEnabled"] { isEnabled = text == "Enabled" }
        }
        guard isEnabled else {
            throw Failure(
                .refused, "bucket \(data.store.client.settings.bucket) says nothing of Object Lock being enabled")
        }
    }
}
