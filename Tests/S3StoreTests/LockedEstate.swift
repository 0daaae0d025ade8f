import Engine
import ObjectStore
import Platform
import S3Store

/// Vaults over two buckets of the real engine, and what somebody else who has its credentials can do.
struct LockedEstate {
    let engine: S3Engine
    static let folders: Set<String> = ["packs", "segments", "envelopes", "sets", "manifests"]

    init() throws { engine = try S3Engine() }

    /// Names end in the digest of their bytes.
    static let names = LockedNames(folders: folders, longest: 64 << 20) { key, bytes in
        key.text.hasSuffix(SHA256.hash(bytes).hex)
    }

    static func key(_ bytes: [UInt8], _ folder: String = "packs") throws -> StoreKey {
        guard let key = StoreKey("\(folder)/\(SHA256.hash(bytes).hex)") else { throw Failure(.failed, "no key") }
        return key
    }

    func open(
        _ address: String, _ access: StoreAccess = .writing, options: S3Store.Options = .init(),
        transport: (any HTTPTransport)? = nil
    ) throws(Failure) -> any MendingStore & RetainingStore {
        let store = try engine.open(address, Self.names, access, options: options, transport: transport)
        guard let locked = store as? any MendingStore & RetainingStore else {
            throw Failure(.failed, "\(address) is no vault that locks")
        }
        return locked
    }

    // MARK: - Somebody else

    private func client() throws(Failure) -> S3Client { try engine.client(of: S3Engine.lockedBucket) }

    private func full(_ key: StoreKey, _ address: String) throws(Failure) -> String {
        "\(try S3Address(address).prefix)/\(key.text)"
    }

    /// Puts one more version, with or without a lock.
    func put(_ bytes: [UInt8], _ key: StoreKey, _ address: String, lockedFor seconds: Int64? = nil) throws(Failure) {
        let now = Surroundings.system.now().nanoseconds / 1_000_000_000
        let headers = seconds.map {
            [
                (name: "x-amz-object-lock-mode", value: "GOVERNANCE"),
                (name: "x-amz-object-lock-retain-until-date", value: ObjectLock.text(Timestamp(seconds: now + $0))),
            ]
        }
        let call = S3Call(.put, try full(key, address), headers: headers ?? [])
        let answer = try bytes.span.bytes.withUnsafeBytes { body throws(Failure) in
            try client().send("putting over \(key)", call, Payload(body)).answer
        }
        guard answer.status == 200 else { throw try client().refusal("putting over \(key)", answer) }
    }

    /// Deletes without naming a version: a delete marker.
    func hide(_ key: StoreKey, _ address: String) throws(Failure) {
        _ = try client().send("hiding \(key)", S3Call(.delete, try full(key, address)))
    }

    /// What the bucket holds under the key, from the newest version to the oldest.
    func versions(_ key: StoreKey, _ address: String) throws(Failure) -> [VersionsPage.Entry] {
        let query = [(name: "versions", value: ""), ("prefix", try full(key, address))]
        let answer = try client().send("listing", S3Call(.get, query: query, capacity: 1 << 20)).answer
        return try VersionsPage(answer.content).entries
    }

    /// Tries to delete one version.
    /// - Returns: the status of the answer.
    func delete(_ version: VersionsPage.Entry, _ key: StoreKey, _ address: String) throws(Failure) -> Int {
        let call = S3Call(.delete, try full(key, address), query: [("versionId", version.version)])
        return try client().send("deleting a version", call).answer.status
    }

    func head(_ key: StoreKey, _ address: String) throws(Failure) -> HTTPAnswer {
        try client().send("looking", S3Call(.head, try full(key, address))).answer
    }
}

/// A vault all of which lies in the locked bucket, for the suite that every store must pass: keys get a folder before them,
/// and a delete waits until the lock, of a second or two, has ended.
struct AllLocked: MendingStore {
    let inner: any MendingStore & RetainingStore
    private static let folder = "packs/"
    var location: String { inner.location }

    private func key(_ key: StoreKey) throws(Failure) -> StoreKey {
        guard let key = StoreKey(Self.folder + key.text) else { throw Failure(.usage, "\(key) is too long") }
        return key
    }

    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.put(self.key(key), bytes, use: use)
    }
    func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try inner.replace(self.key(key), bytes, use: use)
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        try inner.get(self.key(key), range: range)
    }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try inner.length(of: self.key(key)) }
    func delete(_ key: StoreKey) throws(Failure) {
        while let until = try inner.lockedUntil(self.key(key)) {
            let left = until.nanoseconds - Surroundings.system.now().nanoseconds
            Surroundings.system.pause(UInt64(max(left, 0)) + 10_000_000)
        }
        // The server's second may end a moment later than ours.
        for _ in 0..<20 {
            do throws(Failure) {
                return try inner.delete(self.key(key))
            } catch {
                guard error.code == .refused else { throw error }
                Surroundings.system.pause(100_000_000)
            }
        }
        throw Failure(.failed, "\(key) cannot be deleted after its lock has ended")
    }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        let after: StoreKey? = if let after { try key(after) } else { nil }
        return try inner.list(prefix: Self.folder + prefix, after: after, limit: limit).compactMap { object in
            StoreKey(String(object.key.text.dropFirst(Self.folder.count))).map {
                StoredObject(key: $0, length: object.length)
            }
        }
    }
    func space() throws(Failure) -> StoreSpace? { try inner.space() }
}

/// The engine, over a network that loses the answers to some requests.
final class LossyTransport: HTTPTransport {
    private let inner: CurlTransport
    private let loses: @Sendable (HTTPRequest) -> Bool
    private let left: Monitor<Int>

    init(_ engine: S3Engine, losing count: Int, _ loses: @escaping @Sendable (HTTPRequest) -> Bool) {
        inner = CurlTransport(authority: engine.authority)
        self.loses = loses
        left = Monitor(count)
    }

    func exchange(_ request: HTTPRequest, _ body: Payload?) -> HTTPOutcome {
        let outcome = inner.exchange(request, body)
        let isLost =
            loses(request)
            && left.access { left in
                left -= 1
                return left >= 0
            }
        return isLost ? .broken(reason: "reset") : outcome
    }
}
