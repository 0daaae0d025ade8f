import Conformance
import Engine
import ObjectStore
import Platform
import S3Store
import Support
import Synchronization
import Testing

/// The store on the real engine: three OSDs and a gateway over TLS.
@Suite(.enabled(if: S3Engine.isThere, Comment(rawValue: S3Engine.absence))) struct EngineTests {
    private let engine: S3Engine

    init() throws { engine = try S3Engine() }

    private func key(_ text: String) throws -> StoreKey { try #require(StoreKey(text)) }

    @Test func aVaultInABucketKeepsTheContract() throws {
        try assertConformance(
            of: { try engine.open(try engine.makeAddress()) }, reopen: { try engine.open($0.location) })
    }

    @Test func aBucketBeforeTheHostIsTheSameBucket() throws {
        let address = try engine.makeAddress(bucket: "breakwater-virtual")
        let port = try #require(engine.endpoint.split(separator: ":").last)
        let byPath = try engine.open(address)
        let byHost = try engine.open("\(address)?style=virtual&endpoint=https://localhost:\(port)")
        try byHost.put(key("packs/a"), [1, 2, 3], use: .data)
        #expect(try byPath.get(key("packs/a"), atMost: 3) == [1, 2, 3])
        #expect(try byHost.list(prefix: "", after: nil, limit: 10).map(\.key.text) == ["packs/a"])
        #expect(throws: Failure(.exists, "")) { try byHost.put(key("packs/a"), [1, 2, 3], use: .data) }
    }

    @Test func dataGoesInParts() throws {
        var options = S3Store.Options()
        options.multipartBytes = 6 << 20
        options.partBytes = 5 << 20
        options.getBytes = 4 << 20
        let store = try engine.open(try engine.makeAddress(), options: options)
        var seed = Seed(8)
        let bytes = seed.bytes((12 << 20) + 345)
        let name = try key("packs/long")
        try store.put(name, bytes, use: .data)
        #expect(try store.get(name, atMost: UInt64(bytes.count)) == bytes)
        #expect(
            try store.get(name, range: (5 << 20) - 3..<(5 << 20) + 9) == Array(bytes[(5 << 20) - 3..<(5 << 20) + 9]))
        #expect(throws: Failure(.exists, "")) { try store.put(name, bytes, use: .data) }
        // The log's records are never put in parts.
        try store.put(key("log/7"), bytes, use: .log)
        #expect(throws: Failure(.exists, "")) { try store.put(key("log/7"), bytes.reversed(), use: .log) }
        #expect(
            try store.list(prefix: "", after: nil, limit: 9).map(\.length) == [
                UInt64(bytes.count), UInt64(bytes.count),
            ])
    }

    @Test func ofManyWritersOfOneRecordOneWins() throws {
        let address = try engine.makeAddress()
        for round in 0..<10 {
            let name = try key("log/\(round)")
            let won = Monitor<[UInt8]>([])
            let threads = try (0..<16 as Range<UInt8>).map { writer in
                let store = try engine.open(address)
                return EngineThread(name: "writer") {
                    do throws(Failure) {
                        try store.put(name, [UInt8](repeating: writer, count: 2000), use: .log)
                        won.access { $0.append(writer) }
                    } catch {
                        if error.code != .exists { Issue.record("\(error)") }
                    }
                }
            }
            for thread in threads { thread.join() }
            let winners = won.access { $0 }
            #expect(winners.count == 1)
            #expect(
                try engine.open(address).get(name, atMost: 2000)
                    == [UInt8](repeating: winners.first ?? 255, count: 2000))
        }
    }

    // MARK: - What is refused

    @Test func aServerThatAnotherCAVouchesForIsRefused() throws {
        #expect(throws: Failure(.refused, "")) {
            try engine.open("s3://breakwater-tests/x?ca=/etc/ssl/certs/ca-certificates.crt")
        }
        #expect(throws: Failure(.refused, "")) { try engine.open("s3://breakwater-tests/x?ca=/nonexistent.pem") }
    }

    @Test func aWrongSecretAndAMissingBucketAreRefused() throws {
        let right = try engine.settings("s3://breakwater-tests/x")
        let wrong = S3Settings(
            endpoint: right.endpoint, region: right.region, style: right.style, bucket: right.bucket,
            prefix: right.prefix,
            credentials: try #require(Credentials(accessKey: right.credentials.accessKey, secret: "wrong")),
            authority: right.authority)
        #expect(throws: Failure(.refused, "")) {
            try S3Store(wrong, access: .reading, surroundings: .system)
        }
        #expect(throws: Failure(.notFound, "")) { try engine.open("s3://no-such-bucket-here/x") }
    }

    /// Ceph takes no notice of conditions in a versioned bucket: a real store without put-if-absent.
    @Test func aBucketWithoutPutIfAbsentIsRefusedForWritingAndCanBeRead() throws {
        try engine.makeBucket("breakwater-versioned", versioned: true)
        let store = try engine.open(try engine.makeAddress(bucket: "breakwater-versioned"))
        do {
            try StoreProbe.run(on: store, .system)
            Issue.record("the probe passed")
        } catch { #expect(error.code == .refused && error.what.contains("second put"), "\(error)") }
        try store.put(key("packs/a"), [1], use: .data)
        #expect(try engine.open(store.location, .reading).get(key("packs/a"), atMost: 1) == [1])
    }
}
