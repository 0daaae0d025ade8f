import ObjectStore
import Platform
import S3Store
import Support
import Synchronization
import Testing

/// Answers that get lost, servers that are busy, and servers that do not do what they are asked.
@Suite struct LossTests {
    private let server: ServerDouble
    private let pauses = Pauses()
    private let key: StoreKey
    private static let path = "https://store.example/vault/p/log/1"

    private final class Pauses: Sendable {
        let all = Mutex<[UInt64]>([])
    }

    init() throws {
        server = ServerDouble()
        key = try #require(StoreKey("log/1"))
    }

    private func open(_ server: ServerDouble? = nil, _ access: StoreAccess = .writing) throws -> S3Store {
        let server = server ?? self.server
        var surroundings = Surroundings.seeded(1)
        surroundings.pause = { [pauses] pause in pauses.all.withLock { $0.append(pause) } }
        let store = try S3Store(try settings(), access: access, surroundings: surroundings, transport: server)
        server.forgetSent()
        return store
    }

    private func settings() throws -> S3Settings {
        S3Settings(
            endpoint: try S3Endpoint("https://store.example"), region: "r", style: .path, bucket: "vault", prefix: "p",
            credentials: try #require(Credentials(accessKey: "AKID", secret: "hushhush", sessionToken: "tttoken")))
    }

    // MARK: - Lost answers

    @Test func aPutWhoseAnswerWasLostIsFoundToBeItsOwn() throws {
        let store = try open()
        server.script([.answerLost])
        try store.put(key, [1, 2, 3], use: .log)
        #expect(server.object(Self.path) == [1, 2, 3])
        #expect(server.sent.map(\.method) == ["PUT", "PUT", "HEAD", "GET"])
    }

    @Test func aPutWhoseRequestWasLostIsMadeAgain() throws {
        let store = try open()
        server.script([.requestLost, .requestLost, .notConnected])
        try store.put(key, [1, 2, 3], use: .log)
        #expect(server.object(Self.path) == [1, 2, 3])
    }

    @Test func aPutThatLostToAnotherSaysSo() throws {
        let store = try open()
        for others: [UInt8] in [[9, 9, 9], [1, 2]] {
            server.set(Self.path, others)
            server.script([.requestLost])
            #expect(throws: Failure(.exists, "")) { try store.put(key, [1, 2, 3], use: .log) }
            #expect(server.object(Self.path) == others)
        }
    }

    @Test func withoutALostAnswerEqualBytesAreNotOnesOwn() throws {
        let store = try open()
        server.set(Self.path, [1, 2, 3])
        #expect(throws: Failure(.exists, "")) { try store.put(key, [1, 2, 3], use: .log) }
        // A server that was not even reached cannot have carried anything out.
        server.script([.notConnected])
        #expect(throws: Failure(.exists, "")) { try store.put(key, [1, 2, 3], use: .log) }
    }

    @Test func whatCannotBeSettledIsSaidToBeUnknown() throws {
        let store = try open()
        server.script([.answerLost] + Array(repeating: .notConnected, count: 20))
        #expect(throws: Failure(.unknownOutcome, "")) { try store.put(key, [1, 2, 3], use: .log) }
        server.script([.answerLost, .served] + Array(repeating: .requestLost, count: 20))
        #expect(throws: Failure(.unknownOutcome, "")) { try store.put(key, [1, 2, 3], use: .log) }
        server.script([.requestLost, .answered(HTTPAnswer(status: 403))])
        #expect(throws: Failure(.unknownOutcome, "")) { try store.put(key, [1, 2, 3], use: .log) }
        server.script([.answered(HTTPAnswer(status: 500)), .answered(HTTPAnswer(status: 403))])
        #expect(throws: Failure(.unknownOutcome, "")) { try store.delete(key) }
        server.script(Array(repeating: .notConnected, count: 20))
        #expect(throws: Failure(.unreachable, "")) { try store.put(key, [1, 2, 3], use: .log) }
        server.script(Array(repeating: .requestLost, count: 20))
        #expect(throws: Failure(.unreachable, "")) { _ = try store.length(of: key) }
    }

    // MARK: - Trying again

    @Test func aBusyServerIsAskedAgainAfterGrowingPausesOfChance() throws {
        let store = try open()
        let busy = HTTPAnswer(status: 503, problem: Array("<Error><Code>SlowDown</Code></Error>".utf8))
        server.script(Array(repeating: .answered(busy), count: 20))
        #expect(throws: Failure(.unreachable, "")) { try store.get(key, range: 0..<1) }
        #expect(server.sent.count == 10)
        let all = pauses.all.withLock { $0 }
        #expect(all.count == 9 && Set(all).count == 9)
        #expect(all.allSatisfy { $0 < 4_000_000_000 } && all[0] < 50_000_000 && all[1] < 100_000_000)
        #expect(all.suffix(3).contains { $0 > 400_000_000 })
    }

    @Test func whatArrivedWrongIsSentAgain() throws {
        let store = try open()
        let wrong = HTTPAnswer(status: 400, problem: Array("<Error><Code>BadDigest</Code></Error>".utf8))
        server.script([.answered(wrong)])
        try store.put(key, [1, 2, 3], use: .log)
        #expect(server.object(Self.path) == [1, 2, 3])
    }

    @Test func aServerThatNobodyVouchesForIsNotAskedAgain() throws {
        let store = try open()
        server.script([.notTrusted])
        #expect(throws: Failure(.refused, "")) { try store.put(key, [1, 2, 3], use: .log) }
        #expect(server.sent.count == 1)
    }

    // MARK: - Stores that do not keep the contract

    @Test func aStoreWithoutPutIfAbsentIsRefusedForWritingAndCanBeRead() throws {
        let careless = ServerDouble(knowsConditions: false)
        let store = try open(careless)
        do {
            try StoreProbe.run(on: store, .seeded(3))
            Issue.record("the probe passed")
        } catch {
            #expect(error.code == .refused && error.what.contains("second put"), "\(error)")
        }
        careless.set(Self.path, [4, 5, 6])
        #expect(try open(careless, .reading).get(key, atMost: 10) == [4, 5, 6])
        let unable = try open()
        server.script([.answered(HTTPAnswer(status: 501))])
        #expect(throws: Failure(.refused, "")) { try unable.put(key, [1], use: .log) }
    }

    @Test func theProbePassesWhereTheContractIsKept() throws { try StoreProbe.run(on: try open(), .seeded(3)) }

    /// Its objects are whole, and nobody is to think otherwise.
    @Test func aStoreThatGivesNoPartsIsRefusedForThat() throws {
        let store = try open(ServerDouble(knowsRanges: false))
        try store.put(key, [1, 2, 3, 4], use: .log)
        #expect(try store.get(key, range: 0..<4) == [1, 2, 3, 4])
        for range: Range<UInt64> in [0..<3, 1..<3, 3..<4, 0..<9] {
            do throws(Failure) {
                _ = try store.get(key, range: range)
                Issue.record("\(range) was given")
            } catch {
                #expect(error.code == .unsuited && error.what.contains("a whole object"), "\(range): \(error)")
            }
        }
        #expect(throws: Failure(.unsuited, "")) { try StoreProbe.run(on: store, .seeded(3)) }
    }

    @Test func aVaultOpenForReadingChangesNothing() throws {
        let store = try open(nil, .reading)
        #expect(throws: Failure(.refused, "")) { try store.put(key, [1], use: .log) }
        #expect(throws: Failure(.refused, "")) { try store.delete(key) }
        #expect(server.sent.isEmpty)
    }

    @Test func answersThatLieAreNotBelieved() throws {
        let store = try open()
        server.set(Self.path, Array(repeating: 1, count: 100))
        server.script([.answered(HTTPAnswer(status: 206, content: [1, 1]))])
        #expect(throws: Failure(.damaged, "")) { try store.get(key, range: 0..<3) }
        server.script([.answered(HTTPAnswer(status: 200, content: [1, 1]))])
        #expect(throws: Failure(.unsuited, "")) { try store.get(key, range: 5..<8) }
        func list(_ keys: [String]) -> ServerDouble.Fate {
            let entries = keys.map { "<Contents><Key>\($0)</Key><Size>1</Size></Contents>" }.joined()
            let text = "<ListBucketResult><IsTruncated>true</IsTruncated>\(entries)</ListBucketResult>"
            return .answered(HTTPAnswer(status: 200, content: Array(text.utf8)))
        }
        // Out of order, or the same page for ever.
        server.script([list(["p/b", "p/a"])])
        #expect(throws: Failure(.damaged, "")) { try store.list(prefix: "", after: nil, limit: 10) }
        server.script([list(["p/a"]), list(["p/a"])])
        #expect(throws: Failure(.damaged, "")) { try store.list(prefix: "", after: nil, limit: 10) }
        // Objects of strangers are passed over.
        server.script([list(["other/x", "p/", "p/A", "p/ok"]), list([])])
        #expect(try store.list(prefix: "", after: nil, limit: 10).map(\.key.text) == ["ok"])
    }

    @Test func refusalsHaveCodesAndNeverShowASecret() throws {
        let store = try open()
        let cases: [(Int, String, Failure.Code)] = [
            (403, "AccessDenied", .refused), (404, "NoSuchBucket", .notFound), (403, "QuotaExceeded", .full),
            (507, "XMinioStorageFull", .full), (400, "InvalidArgument", .failed), (301, "PermanentRedirect", .refused),
        ]
        for (status, code, expected) in cases {
            let body = "<Error><Code>\(code)</Code><Message>you said tttoken and hushhush</Message></Error>"
            server.script([.answered(HTTPAnswer(status: status, problem: Array(body.utf8)))])
            do {
                try store.put(key, [1], use: .log)
                Issue.record("\(code) was no error")
            } catch {
                #expect(error.code == expected)
                #expect(!"\(error)".contains("tttoken") && !"\(error)".contains("hushhush"), "\(error)")
            }
        }
    }

    /// That it is listed tells what is forbidden of one object from credentials that do not hold.
    @Test func anObjectThatIsForbiddenAndListedIsOneDamagedObject() throws {
        let store = try open()
        let forbidden = ServerDouble.Fate.answered(HTTPAnswer(status: 403))
        func list(_ key: String) -> ServerDouble.Fate {
            let entry = "<Contents><Key>\(key)</Key><Size>7</Size></Contents>"
            let text = "<ListBucketResult><IsTruncated>false</IsTruncated>\(entry)</ListBucketResult>"
            return .answered(HTTPAnswer(status: 200, content: Array(text.utf8)))
        }
        server.script([forbidden, list("p/log/1")])
        #expect(try store.length(of: key) == 7)
        server.script([forbidden, list("p/log/1")])
        #expect(throws: Failure(.damaged, "")) { try store.get(key, range: 0..<7) }
        for other in [forbidden, list("p/log/12")] {
            server.script([forbidden, other])
            #expect(throws: Failure(.refused, "")) { try store.length(of: key) }
            server.script([forbidden, other])
            #expect(throws: Failure(.refused, "")) { try store.get(key, range: 0..<7) }
        }
    }

    @Test func everyUploadCarriesItsDigests() throws {
        let store = try open()
        try store.put(key, Array("hello".utf8), use: .log)
        let put = try #require(server.sent.first)
        #expect(put.headers["content-md5"] == "XUFAKrxLKna5cZ2REBfFkg==")
        #expect(
            put.headers["x-amz-content-sha256"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        #expect(put.headers["if-none-match"] == "*" && put.headers["x-amz-security-token"] == "tttoken")
        let signed = try #require(put.headers["authorization"]?.split(separator: ",").first { $0.hasPrefix("SignedH") })
        #expect(
            signed
                == "SignedHeaders=content-md5;host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-security-token")
    }
}
