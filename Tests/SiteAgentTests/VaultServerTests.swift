import Conformance
import Model
import ObjectStore
import Platform
import SiteAgent
import Support
import Synchronization
import Testing
import Wire

/// Written to directly, read over the wire: what the suite asks of a store is asked of the peer's answers.
private final class ReadOverTheWire: ObjectStore {
    let own: StrictStore
    let peer: PeerStore
    init(own: StrictStore, peer: PeerStore) { (self.own, self.peer) = (own, peer) }
    var location: String { peer.location }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try own.put(key, bytes, use: use)
    }
    func delete(_ key: StoreKey) throws(Failure) { try own.delete(key) }
    func space() throws(Failure) -> StoreSpace? { try own.space() }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] { try peer.get(key, range: range) }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { try peer.length(of: key) }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        try peer.list(prefix: prefix, after: after, limit: limit)
    }
}

@Suite struct VaultServerTests {
    private func store(_ estate: TestEstate, _ location: String, _ repository: String, site: String = "cn-shbao") throws
        -> PeerStore
    {
        try PeerStore(
            peer: TestEstate.identity("hk-alc"), address: location, repository: Tenant.ID(repository),
            identity: estate.agent(site), surroundings: .system, attempts: 1)
    }

    @Test func aPeersVaultKeepsTheContractOfAStore() async throws {
        let estate = try TestEstate()
        let stores = Mutex<[String: StrictStore]>([:])
        try await servingVault(estate, { tenant in try #require(stores.withLock { $0[tenant.text] }) }) { location in
            try await onThread {
                try assertConformance(of: {
                    let own = StrictStore()
                    let name = stores.withLock { stores in
                        let name = "tenant-\(stores.count)"
                        stores[name] = own
                        return name
                    }
                    return ReadOverTheWire(own: own, peer: try self.store(estate, location, name))
                })
            }
        }
    }

    @Test func aRangeLongerThanOneAnswerArrivesWhole() async throws {
        let estate = try TestEstate()
        let own = StrictStore()
        let count = Int(VaultRoute.longestRange) + 3_000_001
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2654435761 >> 13) }
        let key = try #require(StoreKey("packs/large"))
        try own.put(key, bytes.span.bytes, use: .data)
        try await servingVault(estate, { _ in own }) { location in
            try await onThread {
                let peer = try self.store(estate, location, "tenant")
                #expect(try peer.get(key, range: 0..<UInt64(count)) == bytes)
                #expect(try peer.get(key, range: 1_048_575..<1_048_577) == Array(bytes[1_048_575..<1_048_577]))
                #expect(throws: Failure(.damaged, "")) { try peer.get(key, range: 5..<UInt64(count) + 1) }
            }
        }
    }

    @Test func anAgentOfAnotherSiteIsRefused() async throws {
        let estate = try TestEstate()
        let code = try await servingVault(estate, { _ in StrictStore() }) { location in
            await failure {
                try await onThread {
                    _ = try self.store(estate, location, "tenant", site: "de-fra").list(
                        prefix: "", after: nil, limit: 10)
                }
            }
        }
        #expect(code == .refused)
    }

    @Test func aTenantWithoutARepositoryIsNotFound() async throws {
        let estate = try TestEstate()
        let vault = try TemporaryDirectory("vault")
        let code = try await servingVault(
            estate, { try SiteVault(vault.path, surroundings: .system).forReading($0) },
            { location in
                await failure {
                    try await onThread {
                        _ = try self.store(estate, location, "nobody").list(prefix: "", after: nil, limit: 10)
                    }
                }
            })
        #expect(code == .notFound)
    }

    /// What a client that is not ours may write into its request line.
    @Test(arguments: [
        "/v1/vault/tenant/objects/..%2f..%2fetc%2fpasswd", "/v1/vault/tenant/objects/../../etc/passwd",
        "/v1/vault/tenant/objects/.hidden", "/v1/vault/tenant/objects/a//b", "/v1/vault/tenant/objects/",
        "/v1/vault/tenant/objects/a%00", "/v1/vault/../objects/a", "/v1/vault/%2e%2e/objects/a",
        "/v1/vault/Tenant/objects/a",
        "/v1/vault/tenant/other/a", "/v1/vault/tenant", "/", "/v1/vault/tenant/objectsx",
    ])
    func aHostilePathNamesNothing(path: String) async throws {
        let estate = try TestEstate()
        let asked = Mutex<[String]>([])
        let own = StrictStore()
        try own.put(try #require(StoreKey("a")), [UInt8]([1, 2, 3]).span.bytes, use: .data)
        let answer = try await servingVault(
            estate,
            { tenant in
                asked.withLock { $0.append(tenant.text) }
                return own
            },
            { location in
                let exchange = try Exchange(
                    location, tls: estate.agent("cn-shbao").clientConfiguration(),
                    verifying: TestEstate.identity("hk-alc").hostName)
                let answer = try await exchange.send(Exchange.Call(.get, path, headers: [("range", "bytes=0-2")]))
                await exchange.close()
                return answer
            })
        #expect(answer.status == 404)
        #expect(asked.withLock { $0 } == [])
    }

    @Test(arguments: [
        "bytes=0-", "bytes=-3", "bytes=2-1", "bytes=0-1,2-2", "bytes=+0-1", "items=0-1", "", "bytes=0-99999999",
    ])
    func aRangeOfAnotherFormIsRefused(range: String) async throws {
        let estate = try TestEstate()
        let own = StrictStore()
        try own.put(try #require(StoreKey("a")), [UInt8]([1, 2, 3]).span.bytes, use: .data)
        let answer = try await servingVault(estate, { _ in own }) { location in
            let exchange = try Exchange(
                location, tls: estate.agent("cn-shbao").clientConfiguration(),
                verifying: TestEstate.identity("hk-alc").hostName)
            let answer = try await exchange.send(
                Exchange.Call(.get, "/v1/vault/tenant/objects/a", headers: [("range", range)]))
            await exchange.close()
            return answer
        }
        #expect(answer.status == 400)
    }

    @Test(arguments: [Exchange.Call.Method.put, .post, .delete])
    func nothingCanBeWritten(method: Exchange.Call.Method) async throws {
        let estate = try TestEstate()
        let own = StrictStore()
        let status = try await servingVault(estate, { _ in own }) { location in
            let exchange = try Exchange(
                location, tls: estate.agent("cn-shbao").clientConfiguration(),
                verifying: TestEstate.identity("hk-alc").hostName)
            let answer = try await exchange.send(Exchange.Call(method, "/v1/vault/tenant/objects/a", body: [1]))
            await exchange.close()
            return answer.status
        }
        #expect(status == 400)
        #expect(own.keys == [])
    }
}
