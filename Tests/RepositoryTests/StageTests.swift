import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A backup that is cut off leaves what it had stored to the next one, and nothing to see.
struct StageTests {
    let estate: Estate
    /// Many packs' worth of bytes that do not compress.
    let content: [UInt8]

    init() throws {
        estate = try Estate(seed: 31)
        var seed = Seed(32)
        content = seed.bytes(6 << 20)
    }

    private func options(every bytes: UInt64, pause: UInt64 = .max) -> BackupSession.Options {
        var options = BackupSession.Options()
        options.workers = 1
        options.packBytes = 256 << 10
        var staging = BackupSession.Staging(name: "desk", time: Timestamp(seconds: 1), host: "host")
        staging.bytes = bytes
        staging.pause = pause
        options.staging = staging
        return options
    }

    /// A session that has stored some of the content.
    private func begin(_ options: BackupSession.Options, storing count: Int) throws -> BackupSession {
        let session = try estate.open().beginBackup(options)
        var writer = session.makeContentWriter(.data)
        try writer.append(Array(content.prefix(count)))
        _ = try writer.finish()
        return session
    }

    private func finish(_ options: BackupSession.Options) throws -> (Snapshot, BackupSession.Counters, UInt64) {
        let session = try estate.open().beginBackup(options)
        var writer = session.makeContentWriter(.data)
        try writer.append(content)
        let reference = try writer.finish()
        let snapshot = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 2), host: "host",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        return (snapshot, session.counters, session.storedBytes)
    }

    @Test func theNextSessionDoesNotStoreAgainWhatACutOffOneHadStored() throws {
        let session = try begin(options(every: 1 << 20), storing: 5 << 20)
        let kept = session.keptBytes
        #expect(kept > 0)
        // Nothing is ended here: the process is gone, its claim stands.
        let repository = try estate.open()
        #expect(try repository.snapshots().snapshots.isEmpty)
        #expect(!repository.log.state.stages.isEmpty)
        #expect(throws: Failure(.notFound, "")) { try repository.findSnapshot("latest:desk") }
        let stage = try #require(repository.log.state.stages.first).manifest.name.digest.hex
        #expect(throws: Failure(.notFound, "")) { try repository.findSnapshot(stage) }
        let (snapshot, counters, stored) = try finish(options(every: 1 << 20))
        // What is sealed is longer by its tags and tables.
        #expect(counters.newBytes < UInt64(content.count) - kept + (256 << 10))
        #expect(stored < UInt64(content.count) - kept + (256 << 10))
        #expect(try estate.content(of: snapshot) == content)
        #expect(try estate.open().findSnapshot("latest:desk").id == snapshot.id)
        var check = Checker.Options()
        check.readData = true
        #expect(try Checker.check(try estate.open(), check).isClean)
        withExtendedLifetime(session) {}
    }

    @Test func withoutStagesEverythingIsStoredAgain() throws {
        var plain = options(every: 1 << 20)
        plain.staging = nil
        let session = try begin(plain, storing: 5 << 20)
        #expect(session.keptBytes == 0)
        let (_, counters, _) = try finish(plain)
        #expect(counters.newBytes == UInt64(content.count))
        withExtendedLifetime(session) {}
    }

    @Test func theCommitForgetsTheStagesAndKeepsWhatTheyHeld() throws {
        let (snapshot, _, _) = try finish(options(every: 1 << 20))
        let repository = try estate.open()
        #expect(repository.log.state.stages.isEmpty)
        #expect(!repository.log.state.forgotten.isEmpty)
        let state = repository.log.state
        let needed = try Needs(state, repository.objects).live
        #expect(state.objects.keys.filter { $0.kind == .pack }.allSatisfy { needed.contains($0.digest) })
        #expect(try estate.content(of: snapshot) == content)
    }

    @Test func whoeverHoldsTheSiteKeyForgetsWhatOthersLeft() throws {
        // The writer holds no site key here.
        let keys = try Keys(owning: estate.bundle, surroundings: estate.surroundings)
        let writer = Keys(
            writerSecret: estate.bundle.writerSecret, repository: estate.bundle.repository,
            author: try #require(keys.author), site: nil)
        let repository = try Repository.open(
            estate.store, .granted(writer), heads: NoHeadMemory(), surroundings: estate.surroundings)
        let session = try repository.beginBackup(options(every: 1 << 20))
        var content = session.makeContentWriter(.data)
        try content.append(self.content)
        let reference = try content.finish()
        _ = try session.commit(
            .init(
                name: "desk", time: Timestamp(seconds: 2), host: "host",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
        let count = repository.log.state.stages.count
        #expect(count > 0)
        #expect(try estate.open().forgetSupersededStages() == count)
        #expect(try estate.open().log.state.stages.isEmpty)
    }

    @Test func aSessionThatIsInterruptedLeavesEverythingItStored() throws {
        let session = try begin(options(every: .max), storing: 3 << 20)
        #expect(session.keptBytes == 0)
        try session.interrupt()
        #expect(session.keptBytes > 3 << 20)
        let state = try estate.open().log.state
        #expect(state.claims.isEmpty && state.stages.count == 1)
        let (snapshot, counters, _) = try finish(options(every: .max))
        #expect(counters.newBytes < 4 << 20)
        #expect(try estate.content(of: snapshot) == content)
    }

    @Test func aSlowBackupCommitsAStageByTime() throws {
        // Every look at the clock finds it a microsecond on.
        let session = try begin(options(every: .max, pause: 1000), storing: 4 << 20)
        #expect(session.keptBytes > 0)
        withExtendedLifetime(session) {}
    }

    @Test func aRevokedWritersStageIsStoredAgain() throws {
        let session = try begin(options(every: 1 << 20), storing: 5 << 20)
        let repository = try estate.open()
        let author = try #require(repository.log.state.stages.first?.author)
        try repository.appendAsSite { _ in
            .statement(try Statement(.revoke([author]), of: estate.bundle.repository, root: estate.bundle.root))
        }
        let (snapshot, counters, _) = try finish(options(every: 1 << 20))
        #expect(counters.newBytes == UInt64(content.count))
        #expect(try estate.content(of: snapshot) == content)
        withExtendedLifetime(session) {}
    }

    // MARK: - Letting go

    private func collect(
        releasing: Bool = false, watch: any ClaimWatch = NoClaimWatch()
    ) throws -> CollectReport {
        var options = Collector.Options()
        options.workers = 1
        options.releasesClaims = releasing
        var collector = Collector(try estate.open(), options, watch: watch)
        return try collector.run()
    }

    private func unfinished(_ usage: VaultUsage) -> UInt64 { usage.share { $0 == .unfinished }.bytes }

    @Test func whatAKilledFirstBackupStoredIsFreedWhenTheOperatorSaysSo() throws {
        let session = try begin(options(every: 1 << 20), storing: 5 << 20)
        let kept = session.keptBytes
        #expect(kept > 0)
        // Its claim holds it: no live data, and nothing to free yet.
        let plain = try collect()
        #expect(plain.abandoned.isEmpty && plain.deleted.bytes < 1 << 20)
        #expect(plain.usage.live.bytes < 1 << 20 && plain.usage.notYet.bytes >= kept)
        let report = try collect(releasing: true)
        #expect(report.abandoned.map(\.session) == [session.id] && report.abandoned.map(\.why) == [.asked])
        #expect(report.deleted.bytes >= kept && unfinished(report.usage) == 0)
        let state = try estate.open().log.state
        #expect(state.stages.isEmpty && !state.objects.keys.contains { $0.kind == .pack })
        // The next backup begins anew.
        let (snapshot, counters, _) = try finish(options(every: 1 << 20))
        #expect(counters.newBytes == UInt64(content.count))
        #expect(try estate.content(of: snapshot) == content)
        withExtendedLifetime(session) {}
    }

    @Test func twoRunsAnHourApartFreeWhatAKilledBackupStored() throws {
        let session = try begin(options(every: 1 << 20), storing: 5 << 20)
        let kept = session.keptBytes
        let watch = MemoryWatch()
        var report = try collect(watch: watch)
        #expect(report.abandoned.isEmpty && report.deleted.bytes < 1 << 20)
        // What it had in hand may still be on its way to the store, and then it has moved.
        for _ in 0..<5 where report.abandoned.isEmpty {
            estate.surroundings.pause(3_700_000_000_000)
            report = try collect(watch: watch)
        }
        // Claim and stages go in one run.
        #expect(report.released.map(\.why) == [.still])
        #expect(report.abandoned.map(\.session) == [session.id] && report.abandoned.map(\.why) == [.still])
        #expect(report.deleted.bytes >= kept)
        withExtendedLifetime(session) {}
    }

    @Test func anInterruptedBackupIsNotYetReclaimableAndServesTheNextWithinTheHour() throws {
        try begin(options(every: .max), storing: 3 << 20).interrupt()
        let plan = try Collector(try estate.open()).plan()
        #expect(unfinished(VaultUsage(plan, try estate.open().log.state)) > 3 << 20)
        let watch = MemoryWatch()
        for _ in 0..<3 {
            let report = try collect(watch: watch)
            #expect(report.abandoned.isEmpty && unfinished(report.usage) > 3 << 20)
            estate.surroundings.pause(1_000_000_000_000)
        }
        let (snapshot, counters, _) = try finish(options(every: .max))
        #expect(counters.newBytes < 4 << 20)
        // Nothing is unfinished any more, and nothing that the snapshot leans on has gone.
        #expect(unfinished(try collect(watch: watch).usage) == 0)
        #expect(try estate.content(of: snapshot) == content)
    }

    @Test func aBackupUnderWayKeepsWhatItLeansOn() throws {
        try begin(options(every: .max), storing: 3 << 20).interrupt()
        let watch = MemoryWatch()
        _ = try collect(watch: watch)
        var plain = options(every: .max)
        plain.staging = nil
        let session = try estate.open().beginBackup(plain)
        estate.surroundings.pause(3_700_000_000_000)
        #expect(try collect(watch: watch).abandoned.isEmpty)
        #expect(try estate.open().log.state.stages.count == 1)
        try session.abandon()
        #expect(try collect(watch: watch).abandoned.map(\.why) == [.still])
    }

    @Test func packsThatStagesBroughtDoNotOutliveTheirSnapshot() throws {
        let (snapshot, _, _) = try finish(options(every: 1 << 20))
        #expect(!(try estate.open().log.state.forgotten.isEmpty))
        let plan = try Collector(try estate.open()).plan()
        #expect(plan.outlived.isEmpty)
        // Once it is gone those that the next one needs do.
        _ = try finish(options(every: 1 << 20))
        _ = try estate.open().forget([snapshot.id])
        #expect(try !Collector(try estate.open()).plan().outlived.isEmpty)
    }
}
