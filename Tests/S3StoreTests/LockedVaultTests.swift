import Conformance
import Engine
import ObjectStore
import Platform
import S3Store
import Support
import Testing

/// A vault over two buckets on the real engine, one of them with Object Lock.
@Suite(.enabled(if: S3Engine.isThere, Comment(rawValue: S3Engine.absence))) struct LockedVaultTests {
    private let estate: LockedEstate

    init() throws { estate = try LockedEstate() }

    private func key(_ text: String) throws -> StoreKey { try #require(StoreKey(text)) }
    private func bytes(_ seed: UInt64, _ count: Int = 1000) -> [UInt8] {
        var seed = Seed(seed)
        return seed.bytes(count)
    }
    private func secondsFromNow(_ time: Timestamp?) -> Double {
        Double((time?.nanoseconds ?? 0) - Surroundings.system.now().nanoseconds) / 1e9
    }

    /// The server's second may end a moment later than ours.
    private func outwait(_ ends: [Timestamp?]) throws {
        let last = try #require(ends.compactMap(\.self).max())
        Surroundings.system.pause(UInt64(max(0, secondsFromNow(last) + 1.5) * 1e9))
    }

    // MARK: - The contract

    @Test func aVaultOverTwoBucketsKeepsTheContract() throws {
        try assertConformance(
            of: { try estate.open(try estate.engine.makeLockedAddress()) },
            reopen: { try estate.open("\($0.location)&retain=30d") })
    }

    /// Also where everything lies in the locked bucket.
    @Test func theLockedBucketKeepsTheContract() throws {
        let names = LockedNames(folders: ["packs"], longest: 64 << 20) { key, _ in !key.text.hasSuffix("/sets/3") }
        func open(_ address: String) throws -> any ObjectStore {
            let store = try #require(
                try estate.engine.open(address, names) as? any MendingStore & RetainingStore)
            return AllLocked(inner: store)
        }
        try assertConformance(
            of: { try open(try estate.engine.makeLockedAddress(retain: "1s")) },
            reopen: { try open("\($0.location)&retain=1s") })
    }

    @Test func theLogIsProbedAsEver() throws {
        let store = try estate.open(try estate.engine.makeLockedAddress())
        try StoreProbe.run(on: store, .system)
        #expect(try store.list(prefix: "", after: nil, limit: 10).isEmpty)
    }

    @Test func ofRacingPutsOfTheSameBytesOneReturns() throws {
        let address = try estate.engine.makeLockedAddress()
        for round in 0..<4 {
            let bytes = bytes(UInt64(100 + round))
            let key = try LockedEstate.key(bytes)
            let won = Monitor(0)
            let threads = try (0..<8).map { _ in
                let store = try estate.open(address)
                return EngineThread(name: "writer") {
                    do throws(Failure) {
                        try store.put(key, bytes, use: .data)
                        won.access { $0 += 1 }
                    } catch { if error.code != .exists { Issue.record("\(error)") } }
                }
            }
            for thread in threads { thread.join() }
            #expect(won.access { $0 } == 1)
            #expect(try estate.open(address).get(key, atMost: 1000) == bytes)
        }
    }

    @Test(arguments: [1, 3]) func aPutWhoseAnswerIsLostIsFoundToBeItsOwn(losing: Int) throws {
        let address = try estate.engine.makeLockedAddress()
        let transport = LossyTransport(estate.engine, losing: losing) { request in
            request.method == .put && request.url.contains("/packs/")
        }
        let bytes = bytes(5)
        let key = try LockedEstate.key(bytes)
        try estate.open(address, transport: transport).put(key, bytes, use: .data)
        #expect(try estate.versions(key, address).count == losing + 1)
        let other = try estate.open(address)
        #expect(try other.get(key, atMost: 1000) == bytes)
        #expect(throws: Failure(.exists, "")) { try other.put(key, bytes, use: .data) }
    }

    // MARK: - Locks

    @Test(arguments: ["governance", "compliance"]) func whatIsPutIsLockedAndGoesAfterwards(mode: String) throws {
        let address = try estate.engine.makeLockedAddress(retain: "16s", mode: mode)
        var options = S3Store.Options()
        (options.multipartBytes, options.partBytes) = (6 << 20, 5 << 20)
        let store = try estate.open(address, options: options)
        // At once, in parts, and over what lies there.
        let contents = [bytes(1), bytes(2, 7 << 20), bytes(3)]
        let keys = try contents.map { try LockedEstate.key($0) }
        try store.put(keys[0], contents[0], use: .data)
        try store.put(keys[1], contents[1], use: .data)
        try store.replace(keys[2], contents[2], use: .data)
        try store.put(try key("log/1"), [1], use: .log)
        for (key, content) in zip(keys, contents) {
            // Two seconds longer than asked for, and one is rounded up to.
            #expect((5.0...19.1).contains(secondsFromNow(try store.lockedUntil(key))), "\(key)")
            #expect(try estate.head(key, address).lockMode == mode.uppercased())
            for version in try estate.versions(key, address) {
                #expect(try estate.delete(version, key, address) == 403)
            }
            do {
                try store.delete(key)
                Issue.record("it was deleted")
            } catch { #expect(error.code == .refused && error.what.contains("is locked until"), "\(error)") }
            #expect(try store.get(key, atMost: 8 << 20) == content)
        }
        // The log is neither.
        #expect(try store.lockedUntil(try key("log/1")) == nil)
        try store.delete(try key("log/1"))

        try outwait(keys.map { try store.lockedUntil($0) })
        for key in keys {
            #expect(try store.lockedUntil(key) == nil)
            try store.delete(key)
            #expect(try estate.versions(key, address).isEmpty)
            #expect(try store.length(of: key) == nil)
        }
    }

    @Test(arguments: ["governance", "compliance"]) func aLockIsExtendedWhenItIsTooShortAndNeverShortened(
        mode: String
    ) throws {
        let address = try estate.engine.makeLockedAddress(retain: "1h", mode: mode)
        let bytes = bytes(7)
        let key = try LockedEstate.key(bytes)
        try estate.open(address).put(key, bytes, use: .data)
        let lead = 3600.0 / 8
        #expect(abs(secondsFromNow(try estate.open(address).lockedUntil(key)) - 3600 - lead) < 60)
        // Enough for an hour, and not for two.
        func retain(_ term: String, _ mode: String = mode) throws -> Double {
            let other = address.split(separator: "&")[0] + "&retain=\(term)&mode=\(mode)"
            let store = try estate.open(String(other))
            try store.retain(key)
            return secondsFromNow(try store.lockedUntil(key))
        }
        #expect(abs(try retain("1h") - 3600 - lead) < 60)
        #expect(abs(try retain("2h") - 2 * (3600 + lead)) < 60)
        #expect(abs(try retain("30m") - 2 * (3600 + lead)) < 60)
        // What is locked in one mode stays in it, whatever the vault says now.
        let other = mode == "governance" ? "compliance" : "governance"
        #expect(abs(try retain("3h", other) - 3 * (3600 + lead)) < 60)
        #expect(try estate.head(key, address).lockMode == mode.uppercased())
        #expect(throws: Failure(.notFound, "")) { try estate.open(address).retain(try LockedEstate.key([])) }
    }

    /// Once in a run, and not again while it is known to hold.
    @Test func theStoreIsAskedOnceForEachObject() throws {
        let address = try estate.engine.makeLockedAddress()
        let bytes = bytes(8)
        let key = try LockedEstate.key(bytes)
        try estate.open(address).put(key, bytes, use: .data)
        let asked = Monitor<[String]>([])
        let transport = LossyTransport(estate.engine, losing: 0) { request in
            if request.url.contains("/packs/") || request.url.contains("packs%2F") {
                asked.access { $0.append(request.method.rawValue) }
            }
            return false
        }
        let store = try estate.open(address, transport: transport)
        #expect(try store.length(of: key) == 1000)
        for _ in 0..<5 { try store.retain(key) }
        #expect(asked.access { $0 } == ["GET", "HEAD"])
    }

    // MARK: - Who has the credentials

    @Test func whatIsHiddenOrPutOverIsReadAllTheSame() throws {
        let address = try estate.engine.makeLockedAddress(retain: "16s")
        var options = S3Store.Options()
        options.listedAtOnce = 2
        let store = try estate.open(address, options: options)
        let contents = (0..<4).map { bytes(UInt64(20 + $0)) }
        let keys = try contents.map { try LockedEstate.key($0) }
        for (key, content) in zip(keys, contents) { try store.put(key, content, use: .data) }
        let ends = try Dictionary(uniqueKeysWithValues: keys.map { ($0, try #require(try store.lockedUntil($0))) })
        // Hidden; put over; both, many times; put over by what is locked itself.
        try estate.hide(keys[0], address)
        try estate.put([6, 6, 6], keys[1], address)
        for _ in 0..<3 {
            try estate.put(bytes(99), keys[2], address)
            try estate.hide(keys[2], address)
        }
        try estate.put(bytes(98), keys[3], address, lockedFor: 600)
        for store in [store, try estate.open(address), try estate.open(address, .reading, options: options)] {
            for (key, content) in zip(keys, contents) {
                #expect(try store.length(of: key) == 1000)
                #expect(try store.get(key, range: 10..<900) == Array(content[10..<900]))
            }
            let listed = try store.list(prefix: "packs/", after: nil, limit: 100)
            #expect(listed == keys.sorted().map { StoredObject(key: $0, length: 1000) })
            #expect(try store.list(prefix: "", after: nil, limit: 100) == listed)
        }
        for key in keys { #expect(throws: Failure(.exists, "")) { try store.put(key, bytes(1), use: .data) } }
        // What is extended is the right version.
        try estate.open("\(store.location)&retain=10m").retain(keys[1])
        #expect(try estate.delete(try #require(estate.versions(keys[1], address).last), keys[1], address) == 403)

        try outwait([keys[0], keys[2], keys[3]].map { ends[$0] })
        for key in [keys[0], keys[2]] {
            try store.delete(key)
            #expect(try estate.versions(key, address).isEmpty)
        }
        // What somebody else locked stays until then, and what was ours goes.
        #expect(throws: Failure(.refused, "")) { try store.delete(keys[3]) }
        #expect(try estate.versions(keys[3], address).map(\.length) == [1000])
        #expect(throws: Failure(.refused, "")) { try store.delete(keys[1]) }
    }

    @Test func whatIsDamagedIsReplacedThoughItsFirstVersionStays() throws {
        let address = try estate.engine.makeLockedAddress()
        let store = try estate.open(address)
        let right = bytes(30)
        let key = try LockedEstate.key(right, "sets")
        try estate.put(bytes(31, 900), key, address, lockedFor: 3600)
        #expect(try store.get(key, atMost: 2000) == bytes(31, 900))
        try store.replace(key, right, use: .data)
        for store in [store, try estate.open(address)] {
            #expect(try store.length(of: key) == 1000 && store.get(key, atMost: 2000) == right)
        }
        try estate.put(bytes(32), key, address)
        #expect(try estate.open(address).get(key, atMost: 2000) == right)
        #expect(secondsFromNow(try store.lockedUntil(key)) > 29 * 86_400)
    }

    // MARK: - What is refused

    @Test func aBucketWithoutObjectLockIsRefusedWithTheReason() throws {
        try estate.engine.makeBucket("breakwater-unlocked")
        let address = "\(try estate.engine.makeAddress())?locked=breakwater-unlocked&retain=1d"
        do {
            _ = try estate.open(address)
            Issue.record("it was opened")
        } catch { #expect(error.code == .refused && error.what.contains("has no Object Lock"), "\(error)") }
        #expect(throws: Failure(.notFound, "")) {
            try estate.open("\(try estate.engine.makeAddress())?locked=no-such-bucket-here&retain=1d")
        }
    }

    @Test func aVaultIsNotOpenedByHalves() throws {
        let address = try estate.engine.makeLockedAddress()
        let store = try estate.open(address)
        let half = try #require(address.split(separator: "?").first.map(String.init))
        for access in [StoreAccess.reading, .writing] {
            #expect(throws: Failure(.refused, "")) { try estate.engine.open(half, LockedEstate.names, access) }
            #expect(throws: Failure(.refused, "")) {
                try estate.open("\(half)?locked=breakwater-other&retain=1d", access)
            }
        }
        // Without a term it can be read.
        let bytes = bytes(40)
        try store.put(try LockedEstate.key(bytes), bytes, use: .data)
        #expect(throws: Failure(.usage, "")) { try estate.open(store.location) }
        #expect(try estate.open(store.location, .reading).get(try LockedEstate.key(bytes), atMost: 1000) == bytes)
        // A vault in one bucket does not become one in two.
        let plain = try estate.engine.makeAddress()
        try estate.engine.open(plain).put(try key("packs/a"), [1], use: .data)
        #expect(throws: Failure(.refused, "")) {
            try estate.open("\(plain)?locked=\(S3Engine.lockedBucket)&retain=1d")
        }
    }

    /// In one bucket and in two.
    @Test(arguments: [false, true]) func anObjectIsReplacedInPlace(isLocked: Bool) throws {
        let address = isLocked ? try estate.engine.makeLockedAddress() : try estate.engine.makeAddress()
        let store = try estate.engine.open(address, LockedEstate.names)
        let (set, record) = (try LockedEstate.key(bytes(50), "sets"), try key("log/3"))
        for (key, right) in [(set, bytes(50)), (record, bytes(51))] {
            try store.put(key, [1, 2, 3], use: .log)
            try store.replace(key, right, use: .log)
            try store.replace(key, right, use: .log)
            #expect(try estate.engine.open(address, LockedEstate.names).get(key, atMost: 2000) == right)
            #expect(throws: Failure(.exists, "")) { try store.put(key, right, use: .log) }
        }
    }
}
