import Engine
import ObjectStore
import Platform
import Repository
import S3Store
import Sealing
import Support
import Testing

/// A repository in a vault over two buckets of the real engine: what those who have the store's credentials can do to it, what
/// is collected and when, what a destruction leaves, and repairs in place.
@Suite(.enabled(if: S3Engine.isThere, Comment(rawValue: S3Engine.absence))) struct LockedTests {
    private static let locked = Set(ObjectKind.allCases.filter(\.isLocked).map(\.folder))

    private func lock(_ store: any ObjectStore) throws -> any RetainingStore {
        try #require(store as? any RetainingStore)
    }

    /// Every key of the vault's data.
    private func data(_ estate: BucketEstate) throws -> [StoreKey] {
        var keys: [StoreKey] = []
        try estate.store().forEach(prefix: "") {
            if Self.locked.contains(String($0.key.text.prefix { $0 != "/" })) {
                keys.append($0.key)
            }
        }
        return keys
    }

    private func send(_ estate: BucketEstate, _ method: S3Call.Method, _ key: StoreKey, _ bytes: [UInt8]? = nil) throws
    {
        let bucket = estate.address.contains("locked=") ? S3Engine.lockedBucket : try S3Address(estate.address).bucket
        let client = try estate.engine.client(of: bucket)
        let call = S3Call(method, "\(try S3Address(estate.address).prefix)/\(key.text)")
        let content = bytes ?? []
        let status = try content.span.bytes.withUnsafeBytes { body throws(Failure) in
            try client.send("meddling with \(key)", call, bytes == nil ? nil : Payload(body)).answer.status
        }
        #expect((200...299).contains(status))
    }

    private func versions(_ estate: BucketEstate) throws -> [VersionsPage.Entry] {
        let query = [(name: "versions", value: ""), ("prefix", try S3Address(estate.address).prefix + "/")]
        let client = try estate.engine.client(of: S3Engine.lockedBucket)
        let answer = try client.send("listing", S3Call(.get, query: query, capacity: 4 << 20)).answer
        return try VersionsPage(answer.content).entries
    }

    // MARK: - Backups

    @Test func whatALaterSnapshotLeansOnIsExtendedBeforeItsCommit() throws {
        let estate = try BucketEstate(retain: "1h")
        var seed = Seed(50)
        let content = seed.bytes(300_000)
        try estate.backUp(content, name: "desk", into: try estate.open(), packBytes: 64 << 10)
        let before = try data(estate)
        let store = try lock(estate.store())
        func ends(_ keys: [StoreKey]) throws -> [StoreKey: Timestamp] {
            try Dictionary(
                uniqueKeysWithValues: keys.compactMap { key in
                    try store.lockedUntil(key).map { (key, $0) }
                })
        }
        let first = try ends(before)
        #expect(first.count == before.count && before.count >= 5)
        // Again under the same term: far enough. Then by a vault that locks for longer.
        try estate.backUp(content, name: "desk", into: try estate.open())
        #expect(try ends(before) == first)
        let longer = try estate.engine.open(
            estate.address.replacing("retain=1h", with: "retain=2h"), BucketEstate.names)
        let last = try estate.backUp(content, name: "desk", into: try estate.open(longer))
        #expect(last.part.storedBytes == 0)
        let now = Surroundings.system.now().nanoseconds
        for (key, until) in try ends(before) where !key.text.hasPrefix("manifests/") {
            #expect(until.nanoseconds - now > 7200 * 1_000_000_000, "\(key)")
        }
    }

    // MARK: - Who has the credentials

    @Test func whatIsHiddenAndPutOverRestoresAndIsLeanedOn() throws {
        let estate = try BucketEstate(retain: "1d")
        var seed = Seed(51)
        let content = seed.bytes(300_000)
        let kept = try estate.backUp(content, name: "desk", into: try estate.open(), packBytes: 64 << 10)
        for (number, key) in try data(estate).enumerated() {
            if number % 3 != 0 { try send(estate, .put, key, seed.bytes(500)) }
            if number % 3 != 1 { try send(estate, .delete, key) }
        }
        let repository = try estate.open()
        #expect(try estate.content(of: kept, in: repository) == content)
        #expect(try estate.check(repository, readData: true).findings == [])
        let next = try estate.backUp(content, name: "desk", into: repository)
        #expect(next.part.storedBytes == 0)
        #expect(try estate.content(of: next, in: try estate.open()) == content)
        // A collector finds nothing to do, and sees all of it.
        let plan = try Collector(try estate.open()).plan()
        #expect(plan.items.allSatisfy { $0.fate == .live } && plan.items.count > 6)
    }

    // MARK: - Collecting

    @Test func spaceComesBackWhenTheLockHasEnded() throws {
        let estate = try BucketEstate(retain: "24s")
        var seed = Seed(52)
        let gone = try estate.backUp(seed.bytes(200_000), name: "old", into: try estate.open(), packBytes: 64 << 10)
        let old = try data(estate)
        // Somebody hides one of them: its marker goes with it.
        try send(estate, .delete, try #require(old.first))
        _ = try estate.open().forget([gone.id])
        var collector = Collector(try estate.open())
        let report = try collector.run()
        #expect(report.remaining.isEmpty && report.deleted.bytes == 0)
        #expect(report.locked.map(\.object.name.path).contains { $0.hasPrefix("packs/") })
        #expect(report.usage.share { if case .locked = $0 { true } else { false } }.bytes > 200_000)
        #expect(try data(estate) == old)

        let last = try #require(report.locked.map(\.until).max())
        Surroundings.system.pause(
            UInt64(max(0, last.nanoseconds - Surroundings.system.now().nanoseconds) + 1_500_000_000))
        let kept = seed.bytes(50_000)
        let snapshot = try estate.backUp(kept, name: "new", into: try estate.open())
        var second = Collector(try estate.open())
        let freed = try second.run()
        #expect(freed.locked.isEmpty && freed.remaining.isEmpty && freed.deleted.bytes > 200_000)
        let left = Set(try data(estate))
        #expect(left.isDisjoint(with: old) && !left.isEmpty)
        // Every version, and the marker.
        #expect(try versions(estate).count == left.count)
        #expect(try estate.content(of: snapshot, in: try estate.open()) == kept)
    }

    @Test func aDestructionDestroysTheKeysAtOnce() throws {
        let estate = try BucketEstate(retain: "1d")
        try estate.backUp([UInt8](repeating: 7, count: 50_000), name: "desk", into: try estate.open())
        let store = try estate.store()
        #expect(try store.list(prefix: "slots/", after: nil, limit: 10).count == 2)
        let confirmed = try Destruction(ended: [], living: [try estate.open()]).run { _, _ in }
        #expect(confirmed.map(\.slots) == [1])
        #expect(try store.list(prefix: "slots/", after: nil, limit: 10).isEmpty)
        let passphrase = Repository.Access.passphrase(Array("x".utf8))
        #expect(throws: Failure(.refused, "")) {
            try Repository.open(store, passphrase, heads: NoHeadMemory(), surroundings: .system)
        }
        #expect(try !data(estate).isEmpty)
    }

    // MARK: - Repair

    /// Of a vault in one bucket and of one in two, from a copy of it: damaged sets, envelopes, manifests, segments, slots,
    /// records and a checkpoint under their own names, a pack under a new one.
    @Test(arguments: [nil, "1d"]) func damageIsRepairedInPlace(retain: String?) throws {
        let estate = try BucketEstate(retain: retain)
        var seed = Seed(53)
        let contents = [seed.bytes(200_000), seed.bytes(100_000)]
        let snapshots = try contents.map {
            try estate.backUp($0, name: "desk", into: try estate.open(), packBytes: 64 << 10)
        }
        try estate.open().writeCheckpointIfDue(every: 1)
        let twin = StrictStore("twin")
        let store = try estate.store()
        var damaged: [String: StoreKey] = [:]
        try store.forEach(prefix: "") { object in
            let bytes = try store.get(object.key, atMost: 1 << 30)
            try twin.put(object.key, bytes, use: .log)
            let folder = String(object.key.text.prefix { $0 != "/" })
            if folder != "log" || object.key.text.hasSuffix("/0000000000000002") { damaged[folder] = object.key }
        }
        #expect(Set(damaged.keys).isSuperset(of: Self.locked.union(["log", "slots", "checkpoints"])))

        // The same objects in another place, where some were damaged before they came to lie there: nobody else can damage
        // what is locked.
        let address = retain == nil ? try estate.engine.makeAddress() : try estate.engine.makeLockedAddress()
        let worse = try estate.engine.open(address, BucketEstate.names)
        for text in twin.keys {
            let key = try #require(StoreKey(text))
            var bytes = try twin.get(key, atMost: 1 << 30)
            if damaged.values.contains(key) {
                // Both halves of a record, and of a slot's content.
                bytes[bytes.count / 3] ^= 1
                bytes[bytes.count / 3 + bytes.count / 2] ^= 1
            }
            try worse.put(key, bytes, use: .log)
        }
        let copy = try Repository.open(twin, .keyless, heads: NoHeadMemory(), surroundings: .system)
        var repairer = Repairer(
            worse, .granted(estate.keys), from: [copy], site: estate.site, heads: NoHeadMemory(), surroundings: .system)
        let report = try repairer.run()
        #expect(report.isWhole && report.healed.count >= damaged.count - 1, "\(report.items)")
        let again = try estate.engine.open(address, BucketEstate.names)
        for (folder, key) in damaged where folder != "packs" {
            #expect(try again.get(key, atMost: 1 << 30) == twin.get(key, atMost: 1 << 30), "\(key)")
        }
        let repository = try estate.open(again)
        #expect(try estate.check(repository, readData: true).findings == [])
        for (snapshot, content) in zip(snapshots, contents) {
            #expect(try estate.content(of: snapshot, in: repository) == content)
        }
    }
}
