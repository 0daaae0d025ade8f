import Catalog
import Coordinator
import Foundation
import Model
import Platform
import Sealing
import Testing
import Wire

@Suite struct HouseTests {
    @Test func everyImportantOperationStandsInTheJournalWithItsActor() async throws {
        try await Estate().running { house in
            let (agent, _) = try await house.settled()
            _ = try await house.backup()
            try await agent.done(try await agent.next(), agent.backedUp(at: house.now))
            let entries = try await house.get(Listing<JournalEntry>.self, OperatorRoute.journal).items
            let said = Set(entries.map(\.event.what))
            #expect(
                said.isSuperset(of: [
                    "coordinator.started", "site.declared", "enrolmentToken.issued", "agent.enrolled", "tenant.created",
                    "desktop.created", "job.ordered", "job.leased", "job.done", "recoveryPoint.created",
                ]))
            let leased = try #require(entries.last { $0.event.what == "job.leased" })
            #expect(leased.event.actor == Actor(kind: .agent, name: "agent-hk", address: "127.0.0.1"))
            #expect(entries.first { $0.event.what == "tenant.created" }?.event.actor.kind == .operator)
            let page = try await house.asOperator {
                try await $0.get(
                    Listing<JournalEntry>.self, OperatorRoute.journal, query: [("after", "2"), ("limit", "3")])
            }
            #expect(page.items.map(\.sequence) == [3, 4, 5])
        }
    }

    @Test func aJournalThatWasTamperedWithNamesTheFirstBrokenLink() async throws {
        try await Estate().running { house in
            _ = try await house.settled()
            #expect(try await house.get(JournalVerdict.self, OperatorRoute.verifyJournal).broken == nil)
            let sqlite = """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1], timeout=10)
                sql = db.execute("select sql from sqlite_master where name = 'journalIsNotChanged'").fetchone()[0]
                db.execute("drop trigger journalIsNotChanged")
                db.execute("update journal set body = replace(body, 'operator', 'somebody') where sequence = 4")
                db.execute(sql)
                db.commit()
                """
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
            process.arguments = ["-c", sqlite, house.catalogPath]
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
            #expect(try await house.get(JournalVerdict.self, OperatorRoute.verifyJournal).broken?.sequence == 4)
        }
    }

    @Test func badRequestsAreAnsweredWithProblemDetails() async throws {
        try await Estate().running { house in
            #expect(await failure { _ = try await house.get(Tenant.self, "/v1/tenants/nobody") } == .notFound)
            #expect(await failure { _ = try await house.get(Tenant.self, "/v1/tenants/No_Body") } == .usage)
            #expect(await failure { _ = try await house.get(Tenant.self, "/v1/nothing") } == .notFound)
            #expect(await failure { _ = try await house.get(Listing<Job>.self, "/v1/jobs?state=lost") } == .usage)
            #expect(
                await failure { _ = try await house.post(Job.self, OperatorRoute.jobs, ["kind": "explode"]) } == .usage)
            let long = ["kind": String(repeating: "x", count: 300 << 10)]
            #expect(await failure { _ = try await house.post(Job.self, OperatorRoute.jobs, long) } == .usage)
            #expect(await failure { _ = try await house.order(JobOrder(kind: .recover)) } == .usage)
        }
    }

    @Test func aStopDoesNotWaitForHeldPolls() async throws {
        let start = Surroundings.system.uptime()
        let held = try await Estate().running { house in
            let agent = try await house.enrol("hk-alc", "agent-hk")
            return Task { try? await agent.poll(seconds: 25) }
        }
        _ = await held.value
        #expect(Surroundings.system.uptime() - start < 15_000_000_000)
    }

    @Test func onlyOneCoordinatorWorksWithAStateDirectory() async throws {
        let estate = try Estate()
        try await estate.running { _ in
            _ = #expect(throws: Failure(.refused, "")) { _ = try StateDirectory(estate.directory).path }
        }
        let again = try StateDirectory(estate.directory)
        for name in ["authority.key", "operator.token", "master.key", "catalog.sqlite"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: estate.directory + "/" + name)
            #expect((attributes[.posixPermissions] as? Int) == 0o600)
        }
        try FileManager.default.removeItem(atPath: estate.directory + "/master.key")
        try FileManager.default.removeItem(atPath: estate.directory + "/authority.key")
        #expect(throws: Failure(.damaged, "")) { try again.masterKey(mayMake: false, .system) }
        #expect(throws: Failure(.damaged, "")) { try again.authority(now: Surroundings.system.now()) }
    }

    @Test func theCatalogHoldsNoKeyInClear() async throws {
        let keys = try RepositoryKeys.make(.system)
        let keyring = Keyring(masterKey: Surroundings.system.random(32))
        let tenant = try Tenant.ID("harbour-trading")
        let wrapped = try keyring.wrap(Array("the secret of the tenant".utf8), of: tenant)
        #expect(Data(wrapped).range(of: Data("secret".utf8)) == nil)
        #expect(try keyring.unwrap(wrapped, of: tenant) == Array("the secret of the tenant".utf8))
        #expect(throws: Failure(.damaged, "")) { try keyring.unwrap(wrapped, of: .init("another")) }
        let other = Keyring(masterKey: Surroundings.system.random(32))
        #expect(throws: Failure(.damaged, "")) { try other.unwrap(wrapped, of: tenant) }
        #expect(!"\(keys)".contains(Hex.encode(keys.charter)))
    }
}
