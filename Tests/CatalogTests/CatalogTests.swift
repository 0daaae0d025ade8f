import Catalog
import Foundation
import GRDB
import Model
import Platform
import Testing

/// A catalog in a directory of its own, which goes with it.
final class Bench: Sendable {
    let directory: String
    var path: String { directory + "/catalog.sqlite" }

    init() throws {
        directory = NSTemporaryDirectory() + "breakwater-catalog-" + Hex.encode(Surroundings.system.random(8))
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func open() throws -> Catalog { try Catalog(path: path) }

    /// Somebody with the file and SQLite, and no respect.
    func tamper(_ sql: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    static func event(_ what: String, at seconds: Int64 = 1) -> JournalEvent {
        JournalEvent(
            when: Timestamp(seconds: seconds), actor: Actor(kind: .operator, name: "li", address: "192.0.2.1"),
            what: what,
            subject: "x", details: ["路径": "/文件"])
    }

    static func site(_ id: String = "hk-alc") throws -> Site {
        Site(
            id: try .init(id), title: "Hong Kong", failureDomain: "hk",
            vault: Vault(id: try .init("\(id)-vault"), path: "/v"),
            address: "https://127.0.0.1:1", peer: nil, accelerator: .auto)
    }

    static func tenant() throws -> Tenant {
        Tenant(
            id: try .init("harbour-trading"), title: "Harbour", repository: Digest.zero.hex,
            created: Timestamp(seconds: 1))
    }

    static func desktop() throws -> Desktop {
        Desktop(
            id: try .init("desktop-1"), tenant: try .init("harbour-trading"), title: "d", site: try .init("hk-alc"),
            diskImage: "/d", folders: [], machine: MachineProfile(), created: Timestamp(seconds: 1))
    }
}

@Suite struct CatalogTests {
    @Test func aChangeWithoutAJournalEntryIsHeldBack() async throws {
        let bench = try Bench()
        let catalog = try bench.open()
        let site = try Bench.site()
        await #expect(throws: Failure(.failed, "")) { try await catalog.write { try $0.save(site) } }
        #expect(try await catalog.read { try $0.sites() }.isEmpty)
        try await catalog.write { writing in
            try writing.save(site)
            try writing.journal(Bench.event("site.declared"))
        }
        #expect(try await catalog.read { try $0.sites() } == [site])
    }

    @Test func aFailureInsideTakesTheJournalEntryBackToo() async throws {
        let catalog = try Bench().open()
        await #expect(throws: Failure(.refused, "")) {
            try await catalog.write { writing in
                try writing.journal(Bench.event("one"))
                throw Failure(.refused, "changed my mind")
            }
        }
        #expect(try await catalog.read { try $0.verifyJournal().entries } == 0)
    }

    @Test func everythingIsThereAfterOpeningAgain() async throws {
        let bench = try Bench()
        let (site, tenant, desktop) = (try Bench.site(), try Bench.tenant(), try Bench.desktop())
        let first = try bench.open()
        try await first.write { writing in
            try writing.save(site)
            try writing.insert(tenant, wrappedKeys: [1, 2, 3])
            try writing.insert(desktop)
            try writing.journal(Bench.event("made"))
        }
        // Not closed: a killed process does not close either.
        let second = try bench.open()
        #expect(try await second.read { try $0.desktop(desktop.id) } == desktop)
        #expect(try await second.read { try $0.wrappedKeys(of: tenant.id) } == [1, 2, 3])
        #expect(try await second.read { try $0.journal(from: nil, to: nil, after: 0, limit: 9) }.count == 1)
    }

    @Test func idsAreTakenOnceAndReferencesMustExist() async throws {
        let catalog = try Bench().open()
        let (site, tenant, desktop) = (try Bench.site(), try Bench.tenant(), try Bench.desktop())
        await #expect(throws: Failure(.notFound, "")) {
            try await catalog.write {
                try $0.insert(desktop)
                try $0.journal(Bench.event("made"))
            }
        }
        try await catalog.write {
            try $0.save(site)
            try $0.insert(tenant, wrappedKeys: [])
            try $0.journal(Bench.event("made"))
        }
        await #expect(throws: Failure(.exists, "")) {
            try await catalog.write {
                try $0.insert(tenant, wrappedKeys: [])
                try $0.journal(Bench.event("made"))
            }
        }
        await #expect(throws: Failure(.notFound, "")) { _ = try await catalog.read { try $0.desktop(desktop.id) } }
    }

    @Test func aTokenIsUsedOnceAndNotAfterItsTime() async throws {
        let catalog = try Bench().open()
        let site = try Bench.site()
        let agent = try EnrolledAgent.ID("agent-1")
        let (good, old) = (SHA256.hash([1]), SHA256.hash([2]))
        try await catalog.write {
            try $0.save(site)
            try $0.insertToken(hash: good, site: site.id, agent: agent, expires: Timestamp(seconds: 100))
            try $0.insertToken(hash: old, site: site.id, agent: agent, expires: Timestamp(seconds: 10))
            try $0.journal(Bench.event("made"))
        }
        func use(_ hash: Digest) async throws -> Bool {
            try await catalog.writeQuietly { try $0.useToken(hash: hash, now: Timestamp(seconds: 50)) != nil }
        }
        #expect(try await use(good))
        #expect(try await use(good) == false)
        #expect(try await use(old) == false)
        #expect(try await use(SHA256.hash([3])) == false)
    }

    @Test func aCatalogOfANewerProgramIsRefused() async throws {
        let bench = try Bench()
        try bench.open().close()
        try bench.tamper("INSERT INTO grdb_migrations (identifier) VALUES ('99 from the future')")
        #expect(throws: Failure(.refused, "")) { try bench.open() }
    }

    @Test func aFileThatIsNoDatabaseIsDamaged() throws {
        let bench = try Bench()
        try Data("this is not a database, whatever its name says".utf8).write(to: URL(fileURLWithPath: bench.path))
        #expect(throws: Failure(.damaged, "")) { try bench.open() }
    }
}
