import Glibc
import ObjectStore
import Platform
import Support
import Synchronization
import Testing

@Suite struct DirectoryStoreTests {
    let temporary: TemporaryDirectory
    let vault: String

    init() throws {
        temporary = try TemporaryDirectory("store")
        vault = temporary("vault")
        try DirectoryStore.makeRoot(at: vault)
    }

    func open(_ access: DirectoryStore.Access = .writing, faults: FaultPoint? = nil) throws(Failure) -> DirectoryStore {
        try DirectoryStore(
            at: vault, access: access, surroundings: .seeded(7, start: Timestamp(seconds: Int64(time(nil)))),
            reserve: 0,
            faults: faults)
    }

    func key(_ text: String) throws -> StoreKey { try #require(StoreKey(text)) }

    func temporaries() throws -> [DirectoryEntry] { try Directory(at: temporary("vault/tmp")).entries() }

    @Test func aVaultThatIsNotThereIsNotFound() throws {
        #expect(throws: Failure(.notFound, "")) {
            try DirectoryStore(at: temporary("nowhere"), access: .reading, surroundings: .seeded(1))
        }
    }

    @Test func filesAndDirectoriesAreForTheOwnerAlone() throws {
        try open().put(key("a/b/c"), [1], use: .data)
        for (path, mode) in [("", 0o700), ("/tmp", 0o700), ("/a", 0o700), ("/a/b", 0o700), ("/a/b/c", 0o400)] {
            var raw = stat()
            try #require(lstat(vault + path, &raw) == 0)
            #expect(Int(raw.st_mode & 0o7777) == mode, "\(path)")
        }
    }

    /// Root may read everything.
    @Test(.enabled(if: geteuid() != 0)) func aFileThatMayNotBeReadIsOneDamagedObject() throws {
        let store = try open()
        for name in ["a/b", "a/c"] { try store.put(key(name), [1], use: .data) }
        try #require(chmod(vault + "/a/b", 0) == 0)
        #expect(try store.length(of: key("a/b")) == 1)
        #expect(throws: Failure(.damaged, "")) { try store.get(key("a/b"), range: 0..<1) }
        #expect(try store.get(key("a/c"), range: 0..<1) == [1])
        // A directory that leads nobody on is no matter of one object.
        try #require(chmod(vault + "/a", 0) == 0)
        defer { chmod(vault + "/a", 0o700) }
        #expect(throws: Failure(.refused, "")) { try store.get(key("a/c"), range: 0..<1) }
    }

    @Test func aReaderChangesNothing() throws {
        try open().put(key("a"), [1], use: .data)
        let reader = try open(.reading)
        #expect(throws: Failure(.refused, "")) { try reader.put(key("b"), [2], use: .log) }
        #expect(throws: Failure(.refused, "")) { try reader.delete(key("a")) }
        #expect(try reader.get(key("a"), range: 0..<1) == [1])
    }

    @Test func aReaderNeedsNoDirectoryOfTemporaries() throws {
        _ = try open(.reading)
        #expect(try Directory(at: vault).entries().isEmpty)
    }

    @Test func temporariesAreNoObjects() throws {
        let store = try open()
        #expect(throws: Failure(.usage, "")) { try store.put(key("tmp/x"), [1], use: .data) }
        #expect(try store.list(prefix: "", after: nil, limit: 10).isEmpty)
    }

    @Test func symbolicLinksAreNotFollowed() throws {
        let store = try open()
        try store.put(key("real/object"), [1], use: .data)
        try #require(symlink("real", temporary("vault/alias")) == 0)
        try #require(symlink("/etc/hostname", temporary("vault/outside")) == 0)
        #expect(throws: Failure(.damaged, "")) { try store.get(key("outside"), range: 0..<1) }
        #expect(throws: Failure(.damaged, "")) { try store.length(of: key("outside")) }
        #expect(throws: (any Error).self) { try store.get(key("alias/object"), range: 0..<1) }
        #expect(throws: (any Error).self) { try store.put(key("alias/other"), [2], use: .data) }
        try? store.delete(key("alias/object"))
        #expect(try store.get(key("real/object"), range: 0..<1) == [1])
        #expect(try store.list(prefix: "", after: nil, limit: 10).map(\.key.text) == ["real/object"])
    }

    @Test func aFifoUnderAKeyIsDamageAndDoesNotBlock() throws {
        try #require(mkfifo(temporary("vault/pipe"), 0o600) == 0)
        #expect(throws: Failure(.damaged, "")) { try open().get(key("pipe"), range: 0..<1) }
    }

    /// It is no object, and must not keep one from being put; what is in it is nobody's to throw away.
    @Test func anEmptyDirectoryUnderAKeyMakesRoomAndOneThatHoldsSomethingStays() throws {
        let store = try open()
        for name in ["a/put", "a/replaced", "a/full"] {
            try Directory.make(at: Array(temporary("vault/" + name).utf8))
            #expect(try store.length(of: key(name)) == nil)
        }
        try store.put(key("a/full/inner"), [9], use: .data)
        // There is no object to delete.
        for name in ["a/put", "a/full"] { try store.delete(key(name)) }
        try store.put(key("a/put"), [1], use: .data)
        try store.replace(key("a/replaced"), [2], use: .data)
        for use in [StoreUse.data, .log] {
            #expect(throws: Failure(.damaged, "")) { try store.put(key("a/full"), [3], use: use) }
        }
        #expect(throws: Failure(.damaged, "")) { try store.replace(key("a/full"), [3], use: .data) }
        #expect(try store.get(key("a/put"), atMost: 9) == [1] && store.get(key("a/replaced"), atMost: 9) == [2])
        #expect(try store.get(key("a/full/inner"), atMost: 9) == [9])
        #expect(try temporaries().isEmpty)
    }

    @Test func dataStopsAtTheReserveAndTheLogGoesBelow() throws {
        let free = try #require(try open().space()).free
        let store = try DirectoryStore(
            at: vault, access: .writing, surroundings: .seeded(7), reserve: free + (1 << 30))
        #expect(throws: Failure(.full, "")) { try store.put(key("pack"), [1], use: .data) }
        try store.put(key("log/1"), [1], use: .log)
        #expect(try temporaries().isEmpty)
    }

    /// A put stopped before each of its steps leaves a store in which the key is free or the whole object stands.
    @Test func aCrashAtAnyStepLeavesTheWholeObjectOrNothing() throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        var steps = 0
        for crash in 0..<100 {
            let name = try key("crash/\(crash)/object")
            let clock = Crash(after: crash)
            // Opened before the crash is armed: the steps counted are those of the put.
            let store = try open(faults: FaultPoint { step throws(Failure) in try clock.reach(step) })
            clock.arm()
            let outcome = Result { try store.put(name, bytes, use: .data) }
            let reader = try open(.reading)
            switch outcome {
            case .success:
                steps = crash
                #expect(try reader.get(name, atMost: 1000) == bytes)
            case .failure(let error as Failure):
                if try reader.length(of: name) != nil {
                    #expect(error.code == .unknownOutcome, "an object stands after \(error)")
                    #expect(try reader.get(name, atMost: 1000) == bytes)
                } else {
                    // Nothing stands, and a later put by a process that lives succeeds.
                    try open().put(name, bytes, use: .data)
                }
            case .failure(let error): throw error
            }
            if case .success = outcome { break }
        }
        #expect(steps >= 9, "a put has fewer steps than it must have: \(steps)")
        // Our own process lives, so its leftovers stay until they are a day old.
        let left = try temporaries().count
        #expect(left > 0)
        _ = try DirectoryStore(
            at: vault, access: .writing,
            surroundings: .seeded(1, start: Timestamp(seconds: Int64(time(nil)) + 3600)), reserve: 0)
        #expect(try temporaries().count == left)
        _ = try DirectoryStore(
            at: vault, access: .writing,
            surroundings: .seeded(1, start: Timestamp(seconds: Int64(time(nil)) + 100_000)), reserve: 0)
        #expect(try temporaries().isEmpty)
    }

    @Test func everyStepOfAPutIsReached() throws {
        let seen = Mutex<[FaultPoint.Step]>([])
        let store = try open(faults: FaultPoint { step in seen.withLock { $0.append(step) } })
        seen.withLock { $0 = [] }
        try store.put(key("a/b"), [1, 2], use: .data)
        #expect(
            seen.withLock { $0 } == [
                .makeDirectory, .synchronizeDirectory, .createTemporary, .write, .write, .synchronizeFile, .publish,
                .synchronizeDirectory,
            ])
    }

    @Test func theTemporariesOfADeadProcessAreSwept() throws {
        let clock = Crash(after: 0)
        clock.arm()
        let dying = try open(
            faults: FaultPoint { step throws(Failure) in
                if step == .publish || step == .removeTemporary { try clock.reach(step) }
            })
        #expect(throws: Failure.self) { try dying.put(key("x"), [1], use: .data) }
        let name = try #require(try temporaries().first).name
        // The same leftover, as a process would have left it that is gone: its pid is one beyond the largest.
        var parts = String(decoding: name, as: UTF8.self).split(separator: "-").map(String.init)
        parts[1] = "\(Int32.max)"
        try #require(
            rename(
                vault + "/tmp/" + String(decoding: name, as: UTF8.self), vault + "/tmp/" + parts.joined(separator: "-"))
                == 0)
        _ = try open()
        #expect(try temporaries().isEmpty)
    }

    @Test func theProbePassesAndLeavesNothing() throws {
        let store = try open()
        try StoreProbe.run(on: store, .seeded(3))
        #expect(try store.list(prefix: "", after: nil, limit: 10).isEmpty)
    }

    @Test func theProbeRefusesAStoreThatOverwrites() throws {
        #expect(throws: Failure(.refused, "")) { try StoreProbe.run(on: OverwritingStore(), .seeded(3)) }
    }

    @Test func theProbeRefusesAStoreThatReadsWrong() throws {
        let store = FaultyStore(StrictStore(), seed: 1) { $0.bitFlips = 1000 }
        #expect(throws: Failure(.refused, "")) { try StoreProbe.run(on: store, .seeded(3)) }
    }

    @Test func aFullDiskIsSaidToBeFull() throws {
        let mount = temporary("small")
        try #require(mkdir(mount, 0o700) == 0)
        guard Glibc.mount("tmpfs", mount, "tmpfs", 0, "size=1m") == 0 else { return }  // needs root
        defer { umount2(mount, 2) }
        let store = try DirectoryStore(at: mount, access: .writing, surroundings: .seeded(7), reserve: 0)
        try store.put(key("fits"), [UInt8](repeating: 1, count: 500_000), use: .data)
        #expect(throws: Failure(.full, "")) {
            try store.put(key("fits-not"), [UInt8](repeating: 1, count: 900_000), use: .log)
        }
        #expect(try store.length(of: key("fits-not")) == nil)
        #expect(try Directory(at: mount + "/tmp").entries().isEmpty)
        let careful = try DirectoryStore(at: mount, access: .writing, surroundings: .seeded(7))
        try careful.put(key("log/1"), [UInt8](repeating: 1, count: 100_000), use: .log)
    }
}

/// A process that dies at its n-th step from when it is armed.
private final class Crash: Sendable {
    private let left: Mutex<Int>
    private let armed = Mutex(false)
    init(after steps: Int) { left = Mutex(steps) }
    func arm() { armed.withLock { $0 = true } }
    func reach(_ step: FaultPoint.Step) throws(Failure) {
        guard armed.withLock({ $0 }) else { return }
        let dead = left.withLock { left in
            left -= 1
            return left < 0
        }
        if dead { throw FaultyStore.died }
    }
}

/// What the probe is for: a store whose second put wins.
private final class OverwritingStore: ObjectStore {
    let objects = Mutex<[StoreKey: [UInt8]]>([:])
    var location: String { "overwriting" }
    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        objects.withLock { $0[key] = copy }
    }
    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        guard let bytes = objects.withLock({ $0[key] }) else { throw Failure(.notFound, "") }
        return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    }
    func length(of key: StoreKey) throws(Failure) -> UInt64? { objects.withLock { $0[key].map { UInt64($0.count) } } }
    func delete(_ key: StoreKey) throws(Failure) { objects.withLock { _ = $0.removeValue(forKey: key) } }
    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] { [] }
    func space() throws(Failure) -> StoreSpace? { nil }
}
