import Engine
import ObjectStore
import Platform
import Repository
import S3Store
import Support
import Testing

/// A repository on the real engine: backups that die, writers that race, an OSD that is killed.
@Suite(.enabled(if: S3Engine.isThere, Comment(rawValue: S3Engine.absence))) struct BucketTests {
    /// In one bucket, and in two of which one locks.
    @Test(arguments: [nil, "1d"]) func aBackupMayDieAtAnyCall(retain: String?) throws {
        let estate = try BucketEstate(retain: retain)
        var seed = Seed(40)
        let first = seed.bytes(200_000)
        let kept = try estate.backUp(first, name: "desk", into: try estate.open())

        /// A backup whose process dies after so many calls; nil for one that lives.
        func attempt(dyingAfter crash: Int?) throws -> Int {
            let faulty = FaultyStore(try estate.store(), seed: 1) {
                $0.crashAfter = crash
                // Whether the last call of the dead is carried out: over two calls, both are seen.
                $0.crashingCallIsDone = (crash ?? 0).isMultiple(of: 2)
            }
            try estate.backUp(seed.bytes(300_000), name: "desk", into: try estate.open(faulty), packBytes: 128 << 10)
            return faulty.calls
        }
        let calls = try attempt(dyingAfter: nil)
        #expect(calls > 20)
        for crash in 0..<calls {
            #expect(throws: (any Error).self) { _ = try attempt(dyingAfter: crash) }
            guard crash % 5 == 0 || crash + 4 > calls else { continue }
            let repository = try estate.open()
            #expect(try estate.check(repository).findings == [], "died at call \(crash)")
        }
        let repository = try estate.open()
        #expect(try estate.check(repository, readData: true).findings == [])
        #expect(try estate.content(of: kept, in: repository) == first)
        // Two that lived, and one or two that died after their record stood.
        #expect((2...5).contains(repository.log.state.snapshots.count))
        for (_, committed) in repository.log.state.snapshots {
            _ = try estate.content(of: try repository.snapshot(committed), in: repository)
        }
    }

    @Test func manyWritersRaceOnOneLogAndAllCommit() throws {
        let estate = try BucketEstate()
        let (writers, rounds) = (6, 3)
        let problems = Monitor<[String]>([])
        let threads = (0..<writers).map { writer in
            EngineThread(name: "writer") {
                do {
                    var seed = Seed(UInt64(100 + writer))
                    let repository = try estate.open()
                    for _ in 0..<rounds {
                        try estate.backUp(seed.bytes(20_000), name: "desk-\(writer)", into: repository)
                    }
                } catch { problems.access { $0.append("\(writer): \(error)") } }
            }
        }
        for thread in threads { thread.join() }
        #expect(problems.access { $0 } == [])
        let repository = try estate.open()
        #expect(repository.log.state.snapshots.count == writers * rounds)
        #expect(try estate.check(repository, readData: true).findings == [])
        for writer in 0..<writers {
            var seed = Seed(UInt64(100 + writer))
            let expected = (0..<rounds).map { _ in seed.bytes(20_000) }
            var found: [[UInt8]] = []
            for (_, committed) in repository.log.state.snapshots {
                let snapshot = try repository.snapshot(committed)
                if snapshot.name == "desk-\(writer)" { found.append(try estate.content(of: snapshot, in: repository)) }
            }
            #expect(Set(found) == Set(expected))
        }
    }

    /// SIGKILL for one of three OSDs while backups are written: nothing that was acknowledged is lost, and the writers go
    /// on by themselves.
    @Test func aKilledOSDLosesNothing() throws {
        let estate = try BucketEstate()
        let repository = try estate.open()
        var seed = Seed(77)
        let contents = (0..<12).map { _ in seed.bytes(400_000) }
        var snapshots: [Snapshot] = []
        for (number, content) in contents.enumerated() {
            if number == 4 { try estate.engine.kill("osd.2") }
            snapshots.append(
                try estate.backUp(content, name: "desk", into: repository, packBytes: 64 << 10))
        }
        let again = try estate.open()
        #expect(again.log.state.snapshots.count == contents.count)
        for (snapshot, content) in zip(snapshots, contents) {
            #expect(try estate.content(of: snapshot, in: again) == content)
        }
        #expect(try estate.check(again, readData: true).findings == [])
    }
}
