internal import ObjectStore
internal import Platform
internal import Synchronization

/// The part of a vault that lies in a bucket with Object Lock, in which whoever holds the credentials can delete nothing
/// before its time: they can only hide it, under delete markers and newer versions.
///
/// **What counts as the object of a key**: its one version; of several the oldest whose bytes are what the key promises;
/// where none is, the newest. So what hides an object hides it from other programs and not from this one, and a damaged object
/// can be replaced though its first version stays. Nobody knows a name before its bytes are put, so nothing wrong is older
/// than what is right.
///
/// Every request names the version it means. Which one that is costs a listing of one key, where an unversioned bucket is
/// asked for the length; it is remembered for the keys met last.
struct LockedBucket: Sendable {
    /// Addresses, signs and sends.
    let store: S3Store
    let names: LockedNames
    /// Nil where the address does not say how long: then nothing can be put.
    let lock: ObjectLock?
    let known = Known()

    var location: String { store.location }

    // MARK: - What is remembered

    /// Of keys met before: the version that counts, and how long the store said it was locked.
    final class Known: Sendable {
        struct Entry {
            var version: ObjectVersion
            /// Its bytes were seen to be what the key promises.
            var isRight = false
            var lockedUntil: Timestamp?
        }

        private static let most = 50_000
        private let entries = Mutex<[StoreKey: Entry]>([:])

        subscript(key: StoreKey) -> Entry? {
            get { entries.withLock { $0[key] } }
            set {
                entries.withLock {
                    if $0.count >= Self.most { $0 = [:] }
                    $0[key] = newValue
                }
            }
        }

        func note(lock end: Timestamp, of version: ObjectVersion, _ key: StoreKey) {
            entries.withLock { if $0[key]?.version == version { $0[key]?.lockedUntil = end } }
        }
    }

    // MARK: - Versions

    /// A page of a thousand keys of 1024 bytes, percent-encoded, with ids of 1024 and what stands around each.
    private static let longestPage = 16 << 20

    /// Entries under a prefix of keys in the bucket, from a place on; false from `body` ends it.
    func forEachEntry(
        under prefix: String, after: StoreKey?, _ body: (VersionsPage.Entry) throws(Failure) -> Bool
    ) throws(Failure) {
        let what = "listing versions under \(prefix)"
        var last = (key: after.map { store.full($0) } ?? "", version: "")
        while true {
            var query = [
                (name: "versions", value: ""), ("encoding-type", "url"), ("prefix", prefix),
                ("max-keys", String(store.options.listedAtOnce)),
            ]
            if !last.key.isEmpty { query.append(("key-marker", last.key)) }
            if !last.version.isEmpty { query.append(("version-id-marker", last.version)) }
            let answer = try store.client.send(what, S3Call(.get, query: query, capacity: Self.longestPage)).answer
            guard answer.status == 200 else { throw store.client.refusal(what, answer) }
            let before = last
            let page: VersionsPage
            do throws(Failure) { page = try VersionsPage(answer.content) } catch { throw error.during(what) }
            for entry in page.entries {
                // After a key alone, Ceph begins with the versions of that very key, Amazon with those of the next.
                guard !entry.key.lexicographicallyPrecedes(last.key.utf8) else {
                    throw Failure(.damaged, "\(what): \(location) lists out of order")
                }
                last = (String(decoding: entry.key, as: UTF8.self), entry.version)
                guard try body(entry) else { return }
            }
            if !page.isTruncated { return }
            guard last != before else { throw Failure(.damaged, "\(what): \(location) lists the same again and again") }
        }
    }

    /// So many of the newest and of the oldest versions of a key are always looked at, however many were put over it.
    static let mostKept = 1024

    /// What lies under one key, from the newest to the oldest; of more than four times `mostKept` not all in the middle.
    func entries(of key: StoreKey) throws(Failure) -> [VersionsPage.Entry] {
        let full = store.full(key)
        var found: [VersionsPage.Entry] = []
        try forEachEntry(under: full, after: nil) { entry in
            // Longer keys come after it.
            guard entry.key.elementsEqual(full.utf8) else { return false }
            found.append(entry)
            if found.count > 4 * Self.mostKept { found.removeSubrange(Self.mostKept..<3 * Self.mostKept) }
            return true
        }
        return found
    }

    /// The version that counts, asked for anew.
    func resolve(_ key: StoreKey) throws(Failure) -> ObjectVersion? {
        let before = known[key]
        var chosen = try choose(try entries(of: key), key, before)
        // The same version keeps what is known of its lock.
        if let version = chosen?.version, version == before?.version { chosen?.lockedUntil = before?.lockedUntil }
        known[key] = chosen
        return chosen?.version
    }

    private func choose(
        _ entries: [VersionsPage.Entry], _ key: StoreKey, _ before: Known.Entry?
    ) throws(Failure) -> Known.Entry? {
        let versions = entries.filter { !$0.isMarker }.map { ObjectVersion(id: $0.version, length: $0.length) }
        guard versions.count > 1 else { return versions.first.map { Known.Entry(version: $0) } }
        if let before, before.isRight, versions.last == before.version { return before }
        for version in versions.reversed() where version.length <= names.longest {
            do throws(Failure) {
                let bytes = try store.get(key, range: 0..<version.length, of: version)
                if names.isRight(key, bytes) { return Known.Entry(version: version, isRight: true) }
            } catch { guard error.code == .damaged || error.code == .notFound else { throw error } }
        }
        return versions.first.map { Known.Entry(version: $0) }
    }

    // MARK: - Reading

    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        if let version = known[key]?.version {
            do throws(Failure) {
                return try store.get(key, range: range, of: version)
            } catch {
                // It was deleted once its lock had ended, or its bytes went: another may be there.
                guard error.code == .notFound || error.code == .damaged else { throw error }
            }
        }
        guard let version = try resolve(key) else { throw store.absent(key) }
        return try store.get(key, range: range, of: version)
    }

    func length(of key: StoreKey) throws(Failure) -> UInt64? { try resolve(key)?.length }

    /// Objects by their oldest versions: what a delete marker hides is listed.
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        guard limit > 0 else { return [] }
        let root = store.client.settings.root
        var objects: [StoredObject] = []
        var current: (key: [UInt8], oldest: UInt64?) = ([], nil)
        func take() {
            // What has no name of ours is none of ours.
            guard let length = current.oldest, objects.count < limit,
                let key = StoreKey(String(decoding: current.key.dropFirst(root.utf8.count), as: UTF8.self)),
                after.map({ $0 < key }) ?? true
            else { return }
            objects.append(StoredObject(key: key, length: length))
        }
        try forEachEntry(under: root + prefix, after: after) { entry in
            if entry.key != current.key {
                take()
                current = (entry.key, nil)
            }
            if !entry.isMarker { current.oldest = entry.length }
            return objects.count < limit
        }
        take()
        return objects
    }
}
