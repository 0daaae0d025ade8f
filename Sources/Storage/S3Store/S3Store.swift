package import ObjectStore
package import Platform

/// A vault under a prefix of an S3 bucket: every object of the vault is one object of the bucket.
///
/// What the contract stands on:
/// 1. **Put-if-absent** is `PUT` with `If-None-Match: *`, which the server decides. Whether a server does is found out by
///    `StoreProbe`; on one that does not, nothing is ever written.
/// 2. When an answer is lost the put is tried again, and an object found there is read and compared: the same bytes are
///    this put's own. When even that cannot be done the outcome is unknown, and said to be.
/// 3. Every upload carries `Content-MD5` and a signed SHA-256, both verified by the server.
/// 4. Data above `multipartBytes` goes in parts. Completing an upload in parts is not conditional on every server (not on
///    Ceph): it is for names that nobody else can use, as all data of a repository has, and never for its log.
///
/// In a bucket that locks, which is versioned, `LockedBucket` uses the calls of this one.
package struct S3Store: ObjectStore {
    package let location: String
    package let access: StoreAccess
    let client: S3Client
    let options: Options

    package struct Options: Sendable {
        /// `.data` puts longer than this go in parts.
        package var multipartBytes = 64 << 20
        /// S3 wants at least 5 MiB, and at most 10,000 parts.
        package var partBytes = 16 << 20
        /// The most that one request of a get asks for.
        package var getBytes = 32 << 20
        /// Entries that one request of a listing asks for, at most 1000.
        package var listedAtOnce = 1000
        package init() {}
    }

    /// Opens the vault at a prefix of an existing bucket, and sees that it can be reached and listed.
    /// - Throws: `.notFound` without the bucket; `.refused` for wrong credentials; `.unreachable`.
    package init(
        _ settings: S3Settings, access: StoreAccess, surroundings: Surroundings, options: Options = Options(),
        transport: (any HTTPTransport)? = nil
    ) throws(Failure) {
        location = settings.location
        self.access = access
        self.options = options
        client = S3Client(settings, surroundings: surroundings, transport: transport)
        _ = try list(prefix: "", after: nil, limit: 1)
    }

    /// A bucket has no size.
    package func space() throws(Failure) -> StoreSpace? { nil }

    // MARK: - Reading

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        try get(key, range: range, of: nil)
    }

    /// Of one version of the object, or of whatever lies there.
    func get(_ key: StoreKey, range: Range<UInt64>, of version: ObjectVersion?) throws(Failure) -> [UInt8] {
        // What asks for nothing, or for more than one request may bring, is held against the length first.
        guard !range.isEmpty, range.upperBound <= UInt64(Int64.max), range.count <= options.getBytes else {
            let known = if let version { version.length } else { try length(of: key) }
            guard let length = known else { throw absent(key) }
            guard range.upperBound <= length else { throw short(key, range) }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(Int(range.upperBound - range.lowerBound))
            var at = range.lowerBound
            while at < range.upperBound {
                let end = min(range.upperBound, at + UInt64(options.getBytes))
                bytes += try piece(of: key, at..<end, version)
                at = end
            }
            return bytes
        }
        return try piece(of: key, range, version)
    }

    private func piece(
        of key: StoreKey, _ range: Range<UInt64>, _ version: ObjectVersion?
    ) throws(Failure) -> [UInt8] {
        let what = "reading \(key)"
        let call = S3Call(
            .get, full(key), query: version?.query ?? [],
            headers: [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")], capacity: range.count)
        let answer = try client.send(what, call).answer
        switch answer.status {
        case 206: break
        case 200 where answer.content.count == range.count && range.lowerBound == 0: break
        case 200: throw client.partsIgnored(what)
        case 416: throw short(key, range)
        case 404 where !isAboutBucket(answer): throw absent(key)
        case 403 where listed(key) != nil: throw .unreadable(key, in: location, client.refusal(what, answer).what)
        default: throw client.refusal(what, answer)
        }
        guard answer.content.count == range.count else { throw short(key, range) }
        return answer.content
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? {
        let what = "asking for \(key)"
        let answer = try client.send(what, S3Call(.head, full(key))).answer
        switch answer.status {
        case 200:
            guard let length = answer.announced else {
                throw Failure(.failed, "\(what): \(location) does not say how long it is")
            }
            return length
        case 404: return nil
        case 403:
            guard let length = listed(key) else { throw client.refusal(what, answer) }
            return length
        default: throw client.refusal(what, answer)
        }
    }

    /// The length of an object, by the listing: who is shown it there has credentials that hold, and what is forbidden is
    /// this object.
    private func listed(_ key: StoreKey) -> UInt64? {
        guard let first = try? list(prefix: key.text, after: nil, limit: 1).first, first.key == key else { return nil }
        return first.length
    }

    // MARK: - Deleting

    package func delete(_ key: StoreKey) throws(Failure) {
        try requireWriting()
        let what = "deleting \(key)"
        let settled = try client.send(what, S3Call(.delete, full(key)))
        switch settled.answer.status {
        case 200...299: return
        case 404 where !isAboutBucket(settled.answer): return
        default: throw definite(what, settled)
        }
    }

    // MARK: - Listing

    /// A page of a thousand keys of 1024 bytes, percent-encoded, with what stands around each.
    private static let longestPage = 8 << 20

    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        guard limit > 0 else { return [] }
        let what = "listing \(prefix.isEmpty ? "the vault" : prefix)"
        let root = client.settings.root
        var last = after.map { Array((root + $0.text).utf8) } ?? []
        var objects: [StoredObject] = []
        while true {
            var query = [
                (name: "list-type", value: "2"), ("encoding-type", "url"), ("prefix", root + prefix),
                ("max-keys", String(min(options.listedAtOnce, limit - objects.count))),
            ]
            if !last.isEmpty { query.append(("start-after", String(decoding: last, as: UTF8.self))) }
            let answer = try client.send(what, S3Call(.get, query: query, capacity: Self.longestPage)).answer
            guard answer.status == 200 else { throw client.refusal(what, answer) }
            let page: ListingPage
            do throws(Failure) { page = try ListingPage(answer.content) } catch { throw error.during(what) }
            for object in page.objects {
                guard last.lexicographicallyPrecedes(object.key) else {
                    throw Failure(.damaged, "\(what): \(location) lists out of order")
                }
                last = object.key
                // What has no name of ours is none of ours.
                guard object.key.starts(with: root.utf8),
                    let key = StoreKey(String(decoding: object.key.dropFirst(root.utf8.count), as: UTF8.self))
                else { continue }
                objects.append(StoredObject(key: key, length: object.length))
            }
            if !page.isTruncated || page.objects.isEmpty || objects.count >= limit { return objects }
        }
    }

    // MARK: - What the parts share

    /// The key in the bucket.
    func full(_ key: StoreKey) -> String { client.settings.root + key.text }

    func requireWriting() throws(Failure) {
        guard access == .writing else {
            throw Failure(.refused, "\(location) is open for reading only", advice: "Nothing was changed")
        }
    }

    /// A refusal of a call that changes something, or `.unknownOutcome` where an earlier try may have been carried out.
    func definite(_ what: String, _ settled: S3Client.Settled) -> Failure {
        let refusal = client.refusal(what, settled.answer)
        guard settled.mayHaveHappened else { return refusal }
        return Failure(
            .unknownOutcome, "\(what): whether it was done is not known",
            advice: "Read it back before relying on either", cause: refusal)
    }

    func absent(_ key: StoreKey) -> Failure { Failure(.notFound, "\(key) is not in \(location)") }

    func isAboutBucket(_ answer: HTTPAnswer) -> Bool { ErrorAnswer(answer.problem).code == "NoSuchBucket" }

    private func short(_ key: StoreKey, _ range: Range<UInt64>) -> Failure {
        Failure(
            .damaged, "\(key) in \(location) ends before byte \(range.upperBound) that was asked for",
            advice: "The object was cut short; take it from another copy of the vault")
    }
}
