import Catalog
import Coordinator
import Model
import Platform
import Sealing
import Testing
import Wire

@Suite struct JobTests {
    @Test func aBackupIsOrderedHandedOutAndBecomesARecoveryPoint() async throws {
        try await Estate().running { house in
            let (agent, shanghai) = try await house.settled()
            let ordered = try await house.backup()
            #expect(try await shanghai.poll().assignments.isEmpty, "it is another site's work")
            let assignment = try await agent.next()
            #expect(assignment.job == ordered.id && assignment.term == 1)
            #expect(try await agent.beat(assignment) == .goOn)
            #expect(try await house.job(ordered.id).state.name == .running)
            #expect(try await house.job(ordered.id).progress?.done == 7)
            #expect(try await agent.done(assignment, agent.backedUp(at: house.now)))
            #expect(
                try await agent.done(assignment, agent.backedUp(at: house.now)) == false, "the second time is no news")
            let points = try await house.get(Listing<RecoveryPoint>.self, OperatorRoute.recoveryPoints).items
            #expect(points.count == 1)
            #expect(points.first?.copies.map(\.site.text) == ["hk-alc"])

            let copy = try await house.order(
                JobOrder(kind: .replicate, tenant: .init("harbour-trading"), site: .init("cn-shbao")))
            let pulled = try await shanghai.next()
            guard case .replicate(let work) = pulled.work else { throw Failure(.failed, "not a copy") }
            #expect(work.peerAgent.text == "agent-hk" && work.peerHead?.number == 2 && pulled.grant == nil)
            try await shanghai.done(
                pulled,
                .replicate(
                    ReplicateResult(
                        snapshots: [TestAgent.snapshot], copiedBytes: 40, objects: 3, milliseconds: 1,
                        head: LogHead(number: 3, hash: SHA256.hash([3]).hex))))
            #expect(try await house.job(copy.id).state.name == .done)
            let copied = try await house.get(Listing<RecoveryPoint>.self, OperatorRoute.recoveryPoints).items
            #expect(copied.first?.copies.map(\.site.text).sorted() == ["cn-shbao", "hk-alc"])
        }
    }

    @Test func agentsGetTheKeysTheirWorkNeedsAndNoMore() async throws {
        let estate = try Estate(escrow: Array("a long passphrase".utf8))
        try await estate.running { house in
            let agent = try await house.enrol("hk-alc", "agent-hk")
            let other = try await house.enrol("cn-shbao", "agent-cn")
            let tenant = try await house.tenant()
            _ = try await house.desktop()
            let first = try await agent.next()
            guard case .initialiseRepository(let work) = first.work else {
                throw Failure(.failed, "not the first work")
            }
            var decoder = CanonicalDecoder(work.charter.bytes, "charter")
            let charter = try Statement(from: &decoder)
            #expect(charter.repository.description == tenant.repository)
            let slot = try Slot(#require(work.slot).bytes)
            #expect(try slot.unwrap(passphrase: Array("a long passphrase".utf8)).repository == charter.repository)
            try await agent.done(first, .initialiseRepository(.init(head: LogHead(number: 1, hash: Digest.zero.hex))))
            try await other.done(
                try await other.next(), .initialiseRepository(.init(head: LogHead(number: 1, hash: Digest.zero.hex))))

            _ = try await house.backup()
            let backup = try await agent.next()
            let grant = try #require(backup.grant)
            let writing = try agent.open(grant)
            #expect(writing.readers.allSatisfy { $0.secret == nil })
            #expect(writing.charter == work.charter)
            #expect(throws: Failure.self) { try other.open(grant) }
            var moved = grant
            moved.job = try .init("job-other")
            #expect(throws: Failure.self) { try agent.open(moved) }
            try await agent.done(backup, agent.backedUp(at: house.now))

            _ = try await house.order(
                JobOrder(kind: .restore, desktop: .init("desktop-1"), what: .files, target: "/restored"))
            let reading = try agent.open(try #require(try await agent.next().grant))
            #expect(reading.readers.allSatisfy { $0.secret?.bytes.count == 32 })
        }
    }

    @Test func aLeaseThatRanOutGoesToTheNextAndTheLateReportIsRefused() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            let second = try await house.enrol("hk-alc", "agent-hk-2")
            let job = try await house.backup()
            let late = try await agent.next()
            _ = try await agent.beat(late)
            #expect(try await second.poll().assignments.isEmpty)
            house.clock.advance(seconds: 31)
            try await house.coordinator.tick()
            let again = try await second.next()
            #expect(again.job == job.id && again.term == 2)
            #expect(try await agent.beat(late) == .lost)
            #expect(await failure { _ = try await agent.done(late, agent.backedUp(at: house.now)) } == .refused)
            #expect(try await agent.poll([LeasedJob(job: late.job, term: late.term)]).stop.count == 1)
            #expect(try await house.job(job.id).state.lease?.term == 2)
            #expect(try await second.done(again, second.backedUp(at: house.now)))
            #expect(try await house.get(Listing<RecoveryPoint>.self, OperatorRoute.recoveryPoints).items.count == 1)
        }
    }

    @Test func leasesRunOutByThemselves() async throws {
        try await Estate(leaseSeconds: 1, tickMilliseconds: 20).running { house in
            let (agent, _) = try await house.settled()
            _ = try await house.backup()
            let first = try await agent.next()
            _ = try await agent.beat(first)
            // In work, says the agent, and never heard of it again: the poll is answered when the lease is gone.
            let response = try await agent.poll([LeasedJob(job: first.job, term: first.term)], seconds: 20)
            #expect(response.stop.map(\.job) == [first.job] || response.assignments.map(\.term) == [2])
        }
    }

    @Test func anAnswerThatGotLostIsGivenAgainUnderTheSameTerm() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            _ = try await house.backup()
            let lost = try await agent.next()
            let again = try await agent.next()
            #expect(again.job == lost.job && again.term == lost.term)
            #expect(try await agent.poll([LeasedJob(job: lost.job, term: lost.term)]).assignments.isEmpty)
        }
    }

    @Test func workGoesToTheAgentsNewestPollAndNotToOneThatIsForgotten() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            // As after a SIGKILL: the coordinator still holds the question of a process that is gone.
            let terms = try await withThrowingTaskGroup(of: PollResponse.self) { polls in
                for _ in 0..<2 { polls.addTask { try await agent.poll(seconds: 20) } }
                #expect(try await polls.next()?.assignments.isEmpty == true, "the older one ends")
                _ = try await house.backup()
                return try await polls.next()?.assignments.map(\.term)
            }
            #expect(terms == [1])
        }
    }

    @Test func aPollIsHeldAndWokenByTheOrder() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            let start = Surroundings.system.uptime()
            async let next = agent.next(seconds: 20)
            _ = try await house.backup()
            #expect(try await next.work.kind == .backup)
            #expect(Surroundings.system.uptime() - start < 10_000_000_000)
        }
    }

    @Test func aCoordinatorThatWasKilledGoesOnWhereItWas() async throws {
        let estate = try Estate()
        let (agent, assignment) = try await estate.running(kill: true) { house in
            let (agent, _) = try await house.settled()
            _ = try await house.backup()
            let assignment = try await agent.next()
            _ = try await agent.beat(assignment)
            return (agent, assignment)
        }
        // Longer than the lease: nobody could be heard meanwhile.
        estate.clock.advance(seconds: 300)
        try await estate.running { house in
            try await house.coordinator.tick()
            let same = try agent.at(house)
            #expect(try await same.beat(assignment) == .goOn)
            #expect(try await same.done(assignment, same.backedUp(at: house.now)))
            #expect(try await house.job(assignment.job).state.name == .done)
            #expect(try await house.get(JournalVerdict.self, OperatorRoute.verifyJournal).broken == nil)
        }
    }

    @Test func aCancelledJobIsStoppedAndStaysCancelled() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            let job = try await house.backup()
            let assignment = try await agent.next()
            let leased = LeasedJob(job: assignment.job, term: assignment.term)
            async let told = agent.poll([leased], seconds: 20)
            let cancelled = try await house.asOperator {
                try await $0.post(Job.self, "\(OperatorRoute.jobs)/\(job.id)/cancel")
            }
            #expect(cancelled.state.name == .cancelling)
            #expect(try await told.stop == [leased])
            #expect(try await agent.beat(assignment) == .cancel)
            let report = ReportRequest(job: assignment.job, term: assignment.term, outcome: .cancelled)
            #expect(try await agent.client.report(report).first)
            #expect(try await house.job(job.id).state == .cancelled)
        }
    }

    @Test func theSameOrderTwiceIsOneJob() async throws {
        try await Estate().running { house in
            _ = try await house.settled()
            let order = JobOrder(kind: .backup, id: try .init("my-job"), desktop: try .init("desktop-1"))
            let first = try await house.order(order)
            #expect(try await house.order(order) == first)
            var other = order
            other.kind = .check
            other.tenant = try .init("harbour-trading")
            other.site = try .init("hk-alc")
            let changed = other
            #expect(await failure { _ = try await house.order(changed) } == .exists)
        }
    }

    @Test func aRestoreOfAnotherTargetIsAnotherOrder() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            _ = try await house.backup()
            try await agent.done(try await agent.next(), agent.backedUp(at: house.now))
            let order = JobOrder(
                kind: .restore, id: try .init("my-restore"), desktop: try .init("desktop-1"), what: .files, target: "/a"
            )
            let first = try await house.order(order)
            #expect(try await house.order(order) == first)
            var other = order
            other.target = "/b"
            let changed = other
            #expect(await failure { _ = try await house.order(changed) } == .exists)
        }
    }

    @Test func aRepositoryThatCouldNotBeMadeIsOrderedOnceMore() async throws {
        try await Estate().running { house in
            let agent = try await house.enrol("hk-alc", "agent-hk")
            _ = try await house.tenant()
            let first = try await agent.next()
            let full = WorkFailure(Failure(.full, "no room in the vault"), retry: false)
            _ = try await agent.client.report(
                ReportRequest(job: first.job, term: first.term, outcome: .failed(full)))
            #expect(try await house.job(first.job).state == .failed(full))
            _ = try await house.order(
                JobOrder(kind: .initialiseRepository, tenant: .init("harbour-trading"), site: .init("hk-alc")))
            guard case .initialiseRepository(let work) = try await agent.next().work else {
                throw Failure(.failed, "not the same work again")
            }
            guard case .initialiseRepository(let before) = first.work else { throw Failure(.failed, "not that work") }
            #expect(work.repository.vaultID == before.repository.vaultID && work.charter == before.charter)
        }
    }
}
