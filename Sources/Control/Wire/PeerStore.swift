package import Model
package import ObjectStore
package import Platform

/// The vault of a peer agent, over mutual TLS: an object store that can be read and nothing else.
///
/// What arrives is bounded and checked against what was asked for; whether the bytes are right is for the reader to
/// prove by the hash tree. Calls block and are made from threads of the engine; a peer that does not answer is tried
/// again a few times.
package final class PeerStore: ObjectStore {
    package let location: String
    private let repository: Tenant.ID
    private let exchange: Exchange
    private let retry: Retry

    /// - Parameters:
    ///   - peer: whose certificate must be shown at `address`, whatever that address is.
    ///   - address: `https://host:port`.
    package init(
        peer: AgentIdentity, address: String, repository: Tenant.ID, identity: TLSIdentity, surroundings: Surroundings,
        attempts: Int = 5
    ) throws(Failure) {
        self.repository = repository
        exchange = try Exchange(address, tls: identity.clientConfiguration(), verifying: peer.hostName)
        location = "\(exchange.location) (\(peer))/\(repository)"
        retry = Retry(attempts: attempts, surroundings: surroundings)
    }

    package func close() async { await exchange.close() }

    /// The same from a thread of the engine.
    @available(*, noasync)
    package func closeBlocking() { exchange.closeBlocking() }

    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) { throw readOnly() }
    package func delete(_ key: StoreKey) throws(Failure) { throw readOnly() }
    package func space() throws(Failure) -> StoreSpace? { nil }

    package func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        guard !range.isEmpty else { return try getNothing(key, at: range.lowerBound) }
        guard let count = Int(exactly: range.upperBound - range.lowerBound), count <= 1 << 40 else {
            throw Failure(.damaged, "\(key) in \(location) cannot be as long as \(range.upperBound) bytes")
        }
        if UInt64(count) <= VaultRoute.longestRange { return try piece(of: key, range) }
        var out: [UInt8] = []
        var at = range.lowerBound
        while at < range.upperBound {
            let end = min(range.upperBound, at + VaultRoute.longestRange)
            out.append(contentsOf: try piece(of: key, at..<end))
            at = end
        }
        return out
    }

    package func length(of key: StoreKey) throws(Failure) -> UInt64? {
        let answer = try ask(.head, VaultRoute.object(key, of: repository), limit: 0)
        if answer.status == 404 { return nil }
        guard answer.status == 200 else { throw problem(answer, about: key.text) }
        guard let text = answer.header("content-length"), let length = UInt64(text) else {
            throw Failure(.damaged, "\(location) did not say how long \(key) is")
        }
        return length
    }

    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        precondition(limit >= 0)
        let plain = prefix.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
        // No key has other bytes, so nothing starts with such a prefix.
        guard plain, limit > 0 else { return [] }
        let count = min(limit, VaultRoute.longestPage)
        var path = "\(VaultRoute.objects(of: repository))?prefix=\(prefix)&limit=\(count)"
        if let after { path += "&after=\(after)" }
        let answer = try ask(.get, path, limit: VaultRoute.longestListing)
        guard answer.status == 200 else { throw problem(answer, about: "a listing") }
        let listing = try CanonicalJSON.decode(
            ObjectListing.self, from: answer.body, wrong: .damaged, limit: VaultRoute.longestListing)
        var objects: [StoredObject] = []
        var last = after
        for entry in listing.objects {
            guard let key = StoreKey(entry.key), key.text.hasPrefix(prefix), last.map({ $0 < key }) ?? true,
                objects.count < count
            else { throw Failure(.damaged, "\(location) sent a listing that is out of order or names no object") }
            objects.append(StoredObject(key: key, length: entry.length))
            last = key
        }
        // A server's page may be shorter than what was asked for.
        if limit > count, objects.count == count {
            objects += try list(prefix: prefix, after: last, limit: limit - count)
        }
        return objects
    }

    private func piece(of key: StoreKey, _ range: Range<UInt64>) throws(Failure) -> [UInt8] {
        let count = Int(range.upperBound - range.lowerBound)
        let answer = try ask(
            .get, VaultRoute.object(key, of: repository),
            headers: [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")], limit: max(count, 1 << 16))
        guard answer.status == 206 else { throw problem(answer, about: key.text) }
        guard answer.body.count == count else {
            throw Failure(
                .damaged, "\(location) sent \(answer.body.count) bytes of \(key) where \(count) were asked for")
        }
        return answer.body
    }

    /// HTTP cannot ask for no bytes; the contract still says whether they are there.
    private func getNothing(_ key: StoreKey, at offset: UInt64) throws(Failure) -> [UInt8] {
        guard let length = try length(of: key) else { throw Failure(.notFound, "\(key) is not in \(location)") }
        guard offset <= length else { throw Failure(.damaged, "\(key) in \(location) ends at \(length)") }
        return []
    }

    private func ask(
        _ method: Exchange.Call.Method, _ path: String, headers: [(String, String)] = [], limit: Int
    ) throws(Failure) -> Exchange.Answer {
        try retry.runBlocking { () throws(Failure) in
            let answer = try exchange.sendBlocking(
                Exchange.Call(method, path, headers: headers, limit: limit, seconds: 120))
            if Problem.code(ofStatus: answer.status) == .unreachable {
                throw Failure(.unreachable, "\(location) answered with HTTP status \(answer.status)")
            }
            return answer
        }
    }

    private func problem(_ answer: Exchange.Answer, about what: String) -> Failure {
        Problem.failure(status: answer.status, body: answer.body, from: location).during(what)
    }

    private func readOnly() -> Failure {
        Failure(
            .refused, "\(location) is another site's vault and is only read from here",
            advice: "Copies are pulled by the site that keeps them")
    }
}
