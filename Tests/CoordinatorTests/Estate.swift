import Catalog
import Coordinator
import Foundation
import Logging
import Model
import Platform
import Sealing
import ServiceLifecycle
import Synchronization
import Wire

/// The machine's clock, and a hand to move it on.
final class TestClock: Sendable {
    private let offset = Mutex<Int64>(0)

    func advance(seconds: Int64) { offset.withLock { $0 += seconds * 1_000_000_000 } }

    var surroundings: Surroundings {
        var surroundings = Surroundings.system
        let real = surroundings.now
        surroundings.now = { Timestamp(nanoseconds: real().nanoseconds + self.offset.withLock { $0 }) }
        return surroundings
    }
}

/// A coordinator of two sites on loopback, with its state in a directory that goes with it.
final class Estate: Sendable {
    let directory: String
    let clock = TestClock()
    let settings: Coordinator.Settings

    init(leaseSeconds: Int = 30, tickMilliseconds: Int = 3_600_000, escrow: [UInt8]? = nil) throws {
        directory = NSTemporaryDirectory() + "breakwater-coordinator-" + Hex.encode(Surroundings.system.random(8))
        settings = Coordinator.Settings(
            leaseSeconds: leaseSeconds, tickMilliseconds: tickMilliseconds, escrowPassphrase: escrow)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    static func site(_ id: String, peer: String) throws -> Site {
        Site(
            id: try .init(id), title: id, failureDomain: id, vault: Vault(id: try .init("\(id)-vault"), path: "/v"),
            address: "https://127.0.0.1:9", peer: try .init(peer), accelerator: .tcg)
    }

    /// A coordinator that runs while `body` does. `kill` leaves everything as a SIGKILL would.
    func running<T: Sendable>(
        kill: Bool = false, _ body: @escaping @Sendable (House) async throws -> T
    ) async throws -> T {
        let surroundings = clock.surroundings
        let state = try StateDirectory(directory)
        let authority = try state.authority(now: surroundings.now())
        let catalog = try Catalog(path: state.catalogPath)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let coordinator = Coordinator(
            catalog: catalog, keyring: Keyring(masterKey: try state.masterKey(mayMake: true, surroundings)),
            authority: authority, settings: settings, surroundings: surroundings, logger: logger)
        try await coordinator.takeUp(
            sites: [try Self.site("hk-alc", peer: "cn-shbao"), try Self.site("cn-shbao", peer: "hk-alc")])
        let token = try state.operatorToken(surroundings)
        let (listening, told) = AsyncStream.makeStream(of: CoordinatorServer.Addresses.self)
        let anywhere = try ServerAddress(hostAndPort: "127.0.0.1:0")
        let server = CoordinatorServer(
            coordinator: coordinator, identity: try authority.issueServer(names: ["127.0.0.1"], at: surroundings.now()),
            operatorToken: token, operators: anywhere, agents: anywhere, version: "test"
        ) { told.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [server], logger: logger))
        let certificate = try authority.certificatePEM()
        let result = try await withThrowingTaskGroup(of: T?.self) { tasks in
            tasks.addTask {
                do { try await group.run() } catch { if !kill { throw error } }
                told.finish()
                return nil
            }
            tasks.addTask {
                for await addresses in listening {
                    let house = House(
                        coordinator: coordinator, addresses: addresses, authority: certificate, token: token,
                        clock: self.clock, catalogPath: self.directory + "/catalog.sqlite")
                    let result: T
                    do { result = try await body(house) } catch {
                        await group.triggerGracefulShutdown()
                        throw error
                    }
                    if !kill { await group.triggerGracefulShutdown() }
                    return result
                }
                throw Failure(.failed, "the coordinator did not start")
            }
            var result: T?
            while let one = try await tasks.next() {
                if let one { result = one }
                if kill && result != nil { tasks.cancelAll() }
            }
            guard let result else { throw Failure(.failed, "nothing came of it") }
            return result
        }
        if !kill { try coordinator.close() }
        _ = state.path
        return result
    }
}

/// A running coordinator, from outside.
struct House: Sendable {
    let coordinator: Coordinator
    let addresses: CoordinatorServer.Addresses
    let authority: String
    let token: String
    let clock: TestClock
    let catalogPath: String

    var now: Timestamp { clock.surroundings.now() }

    func asOperator<T: Sendable>(_ body: @Sendable (OperatorClient) async throws -> T) async throws -> T {
        let client = try OperatorClient(coordinator: addresses.operators, authority: authority, token: token)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    func get<T: Decodable & Sendable>(_ type: T.Type, _ path: String) async throws -> T {
        try await asOperator { try await $0.get(type, path) }
    }

    func post<T: Decodable & Sendable>(_ type: T.Type, _ path: String, _ order: some Encodable & Sendable) async throws
        -> T
    {
        try await asOperator { try await $0.post(type, path, order) }
    }

    func token(_ site: String, _ agent: String, minutes: Int = 5) async throws -> IssuedToken {
        try await post(
            IssuedToken.self, OperatorRoute.enrolmentTokens,
            TokenOrder(site: try .init(site), agent: try .init(agent), minutes: minutes))
    }

    func enrol(_ site: String, _ agent: String) async throws -> TestAgent {
        try await TestAgent.enrol(self, try await token(site, agent))
    }

    func tenant() async throws -> Tenant {
        try await post(
            Tenant.self, OperatorRoute.tenants,
            TenantOrder(
                id: try .init("harbour-trading"), title: "Harbour 海港",
                sites: [try .init("hk-alc"), try .init("cn-shbao")]))
    }

    func desktop() async throws -> Desktop {
        try await post(
            Desktop.self, OperatorRoute.desktops,
            DesktopOrder(
                id: try .init("desktop-1"), tenant: try .init("harbour-trading"), title: "", site: try .init("hk-alc"),
                diskImage: "/d.img", folders: ["/home"], machine: MachineProfile(ports: [8022])))
    }

    func order(_ order: JobOrder) async throws -> Job { try await post(Job.self, OperatorRoute.jobs, order) }
    func job(_ id: Job.ID) async throws -> Job { try await get(Job.self, "\(OperatorRoute.jobs)/\(id)") }

    /// A tenant with a repository at both sites, a desktop, and the agents that made them.
    func settled() async throws -> (hongKong: TestAgent, shanghai: TestAgent) {
        let hongKong = try await enrol("hk-alc", "agent-hk")
        let shanghai = try await enrol("cn-shbao", "agent-cn")
        _ = try await tenant()
        _ = try await desktop()
        for agent in [hongKong, shanghai] {
            try await agent.done(
                try await agent.next(), .initialiseRepository(.init(head: LogHead(number: 1, hash: Digest.zero.hex))))
        }
        return (hongKong, shanghai)
    }

    func backup() async throws -> Job { try await order(JobOrder(kind: .backup, desktop: try .init("desktop-1"))) }
}

/// An agent that does what a test says.
final class TestAgent: Sendable {
    let identity: TLSIdentity
    let secret: ReaderKey
    let keys: AgentKeys
    let client: AgentClient

    static let snapshot = String(repeating: "ab", count: 32)

    private init(_ identity: TLSIdentity, _ secret: ReaderKey, _ keys: AgentKeys, at address: String) throws {
        self.identity = identity
        self.secret = secret
        self.keys = keys
        client = try AgentClient(coordinator: address, identity: identity)
    }

    static func makeKeys() throws -> (ReaderKey, AgentKeys) {
        let secret = try ReaderKey(generation: 1, secret: Surroundings.system.random(32))
        let writer = try SigningKey(random: .system).verifying.bytes
        let site = try SigningKey(random: .system).verifying.bytes
        return (secret, AgentKeys(agreement: Octets(secret.publicKey), writer: Octets(writer), site: Octets(site)))
    }

    static func enrol(_ house: House, _ token: IssuedToken) async throws -> TestAgent {
        let (secret, keys) = try makeKeys()
        let fingerprint = try CertificateAuthority.fingerprint(ofPEM: house.authority)
        let enrolled = try await Enrolment.enrol(
            coordinator: house.addresses.operators, fingerprint: fingerprint, token: token.token, keys: keys,
            program: "test")
        return try TestAgent(enrolled.identity, secret, keys, at: house.addresses.agents)
    }

    /// The same agent, calling a coordinator that was started anew.
    func at(_ house: House) throws -> TestAgent { try TestAgent(identity, secret, keys, at: house.addresses.agents) }

    func poll(_ working: [LeasedJob] = [], seconds: Int = 0) async throws -> PollResponse {
        try await client.poll(PollRequest(working: working, room: 4, seconds: seconds, program: "test"))
    }

    /// The one assignment that waits.
    func next(seconds: Int = 0) async throws -> Assignment {
        let assignments = try await poll(seconds: seconds).assignments
        guard assignments.count == 1 else {
            throw Failure(.failed, "\(assignments.count) assignments where one was expected")
        }
        return assignments[0]
    }

    func beat(_ assignment: Assignment, _ stage: JobProgress.Stage = .reading) async throws -> HeartbeatResponse.Verdict
    {
        try await client.heartbeat(
            HeartbeatRequest(job: assignment.job, term: assignment.term, progress: JobProgress(stage: stage, done: 7))
        ).verdict
    }

    @discardableResult
    func done(_ assignment: Assignment, _ result: WorkResult) async throws -> Bool {
        try await client.report(ReportRequest(job: assignment.job, term: assignment.term, outcome: .done(result))).first
    }

    func backedUp(at time: Timestamp) -> WorkResult {
        .backup(
            BackupResult(
                snapshot: Self.snapshot, taken: time, hasDisk: true, hasFiles: true, bytes: 100, storedBytes: 40,
                files: 3,
                milliseconds: 5, warnings: [], head: LogHead(number: 2, hash: SHA256.hash([2]).hex)))
    }

    func open(_ grant: KeyGrant) throws -> GrantedKeys {
        let box = SealedBox(encapsulated: grant.encapsulated.bytes, ciphertext: grant.ciphertext.bytes)
        return try CanonicalJSON.decode(GrantedKeys.self, from: secret.open(box, info: grant.info), wrong: .damaged)
    }
}

/// What `body` fails with.
func failure(_ body: () async throws -> Void) async -> Failure.Code? {
    do {
        try await body()
        return nil
    } catch let failure as Failure {
        return failure.code
    } catch {
        return nil
    }
}
