import Capture
import Glibc
import ObjectStore
import Platform
import Repository
import Restore
import Sealing
import Support
import Testing

/// A desktop cut against a golden template of another repository stores the difference, and reads back with both.
@Suite struct LeanTests {
    static let block = 65536

    /// A base repository with a template of 64 blocks and a few bytes, and a tenant with a clone of it.
    final class World {
        let base: Estate
        let tenant: Estate
        let template: Snapshot
        var image: [UInt8]
        private let number = Monitor(0)

        init(seed number: UInt64 = 1, features: [String]? = nil) throws {
            base = try Estate(seed: 1000 + number)
            tenant = try Estate(seed: number, features: features)
            var seed = Seed(number)
            image = seed.bytes(64 * LeanTests.block + 1000)
            template = try base.backUpDisk(image, name: "golden")
        }

        /// Other bytes in a block of the clone.
        func change(_ blocks: Int...) {
            var seed = Seed(UInt64(blocks[0]) + 77)
            for block in blocks {
                image.replaceSubrange(block * LeanTests.block..<block * LeanTests.block + 3000, with: seed.bytes(3000))
            }
        }

        func leanOn(_ text: String? = nil) throws -> LeanTemplate {
            try base.open().template(text, for: tenant.open())
        }

        func restored(_ snapshot: Snapshot, base: Repository?) throws -> [UInt8] {
            let path = tenant.temporary("restored\(number.access { $0 += 1; return $0 })")
            let disk = DiskReader(
                try SnapshotReader(try tenant.open(base: base), snapshot), try tenant.disk(of: snapshot).disk)
            _ = try DiskRestore.run(disk, to: AbsolutePath(path), surroundings: tenant.surroundings)
            return try read(path)
        }

        func collectBase() throws -> CollectReport {
            var options = Collector.Options()
            options.repackBelow = 0.9
            var collector = Collector(try base.open(), options)
            return try collector.run()
        }
    }

    @Test func onlyTheDifferenceIsStoredAndBothTogetherGiveTheDisk() throws {
        let world = try World()
        world.change(3, 40)
        let template = try world.leanOn()
        let session = try world.tenant.session(template)
        let snapshot = try world.tenant.backUpDisk(world.image, name: "desk", session)
        let base = try world.base.open().id
        #expect(snapshot.clear.leans == [.init(template: base, snapshot: world.template.id)])
        // Two blocks, and the node that names all of them.
        #expect(session.counters.newBytes == UInt64(2 * Self.block + DiskRef.nodeByteCount))
        #expect(snapshot.part.storedBytes < 200_000)
        #expect(template.bytes == UInt64(world.image.count - 2 * Self.block))
        #expect(try world.restored(snapshot, base: world.base.open()) == world.image)
        // The base knows of the tenant its repository and nothing else.
        let claims = try world.base.open().log.state.claims.values.map(\.scope)
        #expect(claims == [.lean(tenant: try world.tenant.open().id, snapshot: world.template.id)])
        // Once more: the claim that stands is enough, and nothing is stored but the manifest.
        let again = try world.leanOn("latest:golden")
        let next = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(again))
        #expect(next.part.storedBytes == 0)
        #expect(try world.base.open().log.state.claims.count == 1)
        #expect(try world.restored(next, base: world.base.open()) == world.image)
    }

    @Test func withoutTheBaseNothingIsRestored() throws {
        let world = try World(seed: 2)
        let snapshot = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        let failure = try #require(throws: Failure.self) { try world.restored(snapshot, base: nil) }
        #expect(failure.code == .notFound)
        let (repository, id) = (try world.base.open().id.description, world.template.id.hex)
        #expect(failure.what.contains(repository) && failure.what.contains(id) && failure.advice.contains("--base"))
        // The wrong one does not do either.
        let other = try Estate(seed: 99)
        #expect(throws: Failure(.notFound, "")) { try world.restored(snapshot, base: other.open()) }
        #expect(try Directory(at: world.tenant.temporary.path).entries().map(\.name) == [Array("source".utf8)])
        // Whoever goes on all the same is given no block that is not the right one.
        let blind = DiskReader(
            try SnapshotReader(try world.tenant.open(), snapshot), try world.tenant.disk(of: snapshot).disk)
        var room = [UInt8](repeating: 0, count: Self.block)
        #expect(throws: Failure(.notFound, "")) {
            try room.withUnsafeMutableBytes { try blind.read(at: 0, into: $0) }
        }
    }

    @Test func aCheckCountsWhatIsElsewhere() throws {
        let world = try World(seed: 3)
        world.change(5)
        let snapshot = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        let alone = try Checker.check(world.tenant.open())
        #expect(alone.findings == [] && alone.losses == [])
        #expect(alone.elsewhere == [snapshot.id: UInt64(world.image.count - Self.block)])
        var options = Checker.Options()
        options.readData = true
        let both = try Checker.check(world.tenant.open(base: world.base.open()), options)
        #expect(both.findings == [] && both.losses == [] && both.elsewhere == [:])

        let pack = try #require(world.base.store.keys.filter { $0.hasPrefix("packs/") }.first)
        world.base.store.alter(pack) { $0[200_000] ^= 1 }
        let hurt = try Checker.check(world.tenant.open(base: world.base.open()), options)
        #expect(!hurt.losses.isEmpty && hurt.losses.allSatisfy { $0.snapshot == snapshot.id && $0.kind == .disk })
        let failure = try #require(throws: Failure.self) { try world.restored(snapshot, base: world.base.open()) }
        #expect(failure.code == .damaged)
        #expect("\(failure)".contains("template") || "\(String(describing: failure.cause))".contains("template"))
        #expect(try Directory(at: world.tenant.temporary.path).entries().map(\.name) == [Array("source".utf8)])
    }

    /// Without its envelope nothing of a template opens, wherever the snapshot that leans on it is whole.
    @Test(arguments: [true, false]) func whatHelpsWithATemplateThatDoesNotOpenIsSaid(isGone: Bool) throws {
        let world = try World(seed: 12)
        let snapshot = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        let envelope = try #require(world.base.store.keys.filter { $0.hasPrefix("envelopes/") }.first)
        if isGone { world.base.store.lose(envelope) } else { world.base.store.alter(envelope) { $0[99] ^= 1 } }
        var failures = [try #require(throws: Failure.self) { try world.restored(snapshot, base: world.base.open()) }]
        for text in [nil, "latest:golden", world.template.id.hex] {
            failures.append(try #require(throws: Failure.self) { try world.leanOn(text) })
        }
        let location = world.base.store.location
        for failure in failures {
            #expect(failure.code == .damaged && failure.what.contains("base repository"), "\(failure)")
            #expect(failure.advice.contains("repair --vault \(location) --from"), "\(failure)")
            #expect(!failure.advice.contains("restore --also"), "\(failure)")
        }
        // Nothing was begun, in the place to restore to or in the tenant's log.
        #expect(try Directory(at: world.tenant.temporary.path).entries().map(\.name) == [Array("source".utf8)])
        #expect(try world.tenant.open().log.state.claims.isEmpty)
    }

    @Test func aTemplateThatIsLeantOnOutlivesItsForgetting() throws {
        let world = try World(seed: 4)
        let snapshot = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        _ = try world.base.open().forget([world.template.id])
        _ = try world.collectBase()
        #expect(try world.restored(snapshot, base: world.base.open()) == world.image)
        #expect(try world.base.open().log.state.snapshots[world.template.id] != nil)
        // Let go of, it goes.
        _ = try world.tenant.open().forget([snapshot.id])
        let ending = try LeanEnding(of: world.tenant.open(), in: world.base.open())
        #expect(ending.released == [world.template.id] && ending.kept == [] && ending.postponed == nil)
        _ = try world.collectBase()
        _ = try world.collectBase()
        #expect(world.base.store.keys.filter { $0.hasPrefix("packs/") }.isEmpty)
    }

    /// A template's packs hold more than the template: what only others refer to may be repacked away.
    @Test func onlyWhatTheTemplateItselfHoldsIsLeantOn() throws {
        let world = try World(seed: 5)
        let first = world.image
        // The second template keeps the first quarter, and lies in the packs of the first.
        let second = Array(first[..<(16 * Self.block)])
        let template = try world.base.backUpDisk(second, name: "golden")
        let lean = try world.leanOn(template.id.hex)
        let session = try world.tenant.session(lean)
        let snapshot = try world.tenant.backUpDisk(first, name: "desk", session)
        #expect(lean.bytes == UInt64(16 * Self.block))
        _ = try world.base.open().forget([world.template.id])
        let report = try world.collectBase()
        #expect(report.repacked.packs > 0)
        #expect(try world.restored(snapshot, base: world.base.open()) == first)
    }

    @Test func withoutTheTemplateWhatItHoldsIsStored() throws {
        let world = try World(seed: 6)
        _ = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        let whole = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(nil))
        #expect(whole.clear.leans == [])
        #expect(try world.restored(whole, base: nil) == world.image)
        // And what the repository holds itself is not leant on.
        let lean = try world.leanOn()
        let next = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(lean))
        #expect(lean.bytes == 0 && next.clear.leans == [])
    }

    @Test(arguments: [true, false]) func whatAChangeMapTakesOverIsLookedUpAgain(leans: Bool) throws {
        let world = try World(seed: 7)
        let first = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        world.change(9)
        let (at, size) = (9 * Self.block, world.image.count)
        let map = [(0, at, false), (at, Self.block, true), (at + Self.block, size - at - Self.block, false)].map {
            #"{"start":\#($0.0),"length":\#($0.1),"dirty":\#($0.2)}"#
        }
        try write(Array("[\(map.joined(separator: ","))]".utf8), world.tenant.temporary("map"))
        let changes = try DiskChanges.find(
            AbsolutePath(world.tenant.temporary("map")), since: first.id.hex, of: "desk",
            .init(label: "", size: UInt64(size)), in: world.tenant.open())
        let lean = leans ? try world.leanOn() : nil
        var report = CaptureReport()
        let second = try world.tenant.backUpDisk(
            world.image, name: "desk", world.tenant.session(lean), since: changes, report: &report)
        #expect(report.bytesRead < UInt64(leans ? 2 * Self.block : size + Self.block))
        #expect(report.bytesInherited == (leans ? UInt64(size - Self.block) : 0))
        #expect(second.clear.leans.isEmpty == !leans)
        #expect(try world.restored(second, base: leans ? world.base.open() : nil) == world.image)
    }

    @Test func aRepositoryOfOldLeansOnNothing() throws {
        let world = try World(seed: 8, features: ["breakwater-1", "reseal", "stages"])
        let failure = try #require(throws: Failure.self) { try world.leanOn() }
        #expect(failure.code == .refused && failure.what.contains("before repositories could lean"))
        #expect(try world.base.open().log.state.claims.isEmpty)
    }

    // MARK: - Letting go

    @Test func aTemplateIsLetGoOfWhenNothingLeansOnIt() throws {
        let world = try World(seed: 9)
        let snapshot = try world.tenant.backUpDisk(world.image, name: "desk", world.tenant.session(world.leanOn()))
        let early = try LeanEnding(of: world.tenant.open(), in: world.base.open())
        #expect(early.released == [] && early.kept == [world.template.id])
        _ = try world.tenant.open().forget([snapshot.id])
        // Not beside a backup, which may be about to lean.
        let session = try world.tenant.session(nil)
        let beside = try LeanEnding(of: world.tenant.open(), in: world.base.open())
        #expect(beside.released == [] && beside.postponed != nil)
        try session.abandon()
        let ending = try LeanEnding(of: world.tenant.open(), in: world.base.open())
        #expect(ending.released == [world.template.id])
        #expect(try world.base.open().log.state.claims.isEmpty)
        #expect(try world.tenant.open().log.state.closedLeans == [world.template.id])
        let failure = try #require(throws: Failure.self) { try world.leanOn() }
        #expect(failure.code == .refused && failure.what.contains("let go of"))
        // There is nothing left to do.
        #expect(try LeanEnding(of: world.tenant.open(), in: world.base.open()).released == [])
    }

    /// A backup whose claims were let go of, and that commits when the template is gone.
    @Test(arguments: [false, true]) func aBackupThatRacesWithTheEndIsVoid(isClaimedAgain: Bool) throws {
        let world = try World(seed: 10)
        let session = try world.tenant.session(world.leanOn())
        let draft = try world.tenant.draft(world.image, name: "desk", session)
        var options = Collector.Options()
        options.releasesClaims = true
        var collector = Collector(try world.tenant.open(), options)
        _ = try collector.run()
        let ending = try LeanEnding(of: world.tenant.open(), in: world.base.open())
        #expect(ending.released == [world.template.id])
        // The base's claim is one thing to go by, and the tenant's log the other.
        if isClaimedAgain {
            try world.base.open().claimLean(on: world.template.id, for: try world.tenant.open())
        }
        let failure = try #require(throws: Failure.self) { try session.commit(draft) }
        #expect(failure.code == .refused)
        #expect(failure.what.contains(isClaimedAgain ? "template that was let go" : "let go of meanwhile"))
        #expect(try world.tenant.open().snapshots().snapshots.isEmpty)
    }
}

extension Estate {
    func session(_ template: LeanTemplate?) throws -> BackupSession {
        var options = BackupSession.Options()
        options.template = template
        return try open().beginBackup(options)
    }

    func draft(
        _ image: [UInt8], name: String, _ session: BackupSession, since changes: DiskChanges? = nil,
        report: inout CaptureReport
    ) throws -> BackupSession.Draft {
        let path = temporary("image")
        unlink(path)
        defer { unlink(path) }
        try write(image, path)
        let (disk, found) = try DiskCapture.run(try DiskImage.open(AbsolutePath(path)), into: session, since: changes)
        report = found
        return .init(
            name: name, time: Timestamp(seconds: 1), host: "host",
            streams: [.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)])
    }

    func draft(_ image: [UInt8], name: String, _ session: BackupSession) throws -> BackupSession.Draft {
        var report = CaptureReport()
        return try draft(image, name: name, session, report: &report)
    }

    func backUpDisk(
        _ image: [UInt8], name: String, _ session: BackupSession? = nil, since changes: DiskChanges? = nil,
        report: inout CaptureReport
    ) throws -> Snapshot {
        let session = try session ?? open().beginBackup()
        return try session.commit(try draft(image, name: name, session, since: changes, report: &report))
    }

    func backUpDisk(_ image: [UInt8], name: String, _ session: BackupSession? = nil) throws -> Snapshot {
        var report = CaptureReport()
        return try backUpDisk(image, name: name, session, report: &report)
    }
}
