import Hummingbird
import Model
import NIOCore
import Platform
import Synchronization
import Testing
import Wire

@Suite struct EnrolmentTests {
    private static let keys = AgentKeys(
        agreement: Octets(Array(repeating: 1, count: 32)), writer: Octets(Array(repeating: 2, count: 32)),
        site: Octets(Array(repeating: 3, count: 32)))

    /// A coordinator that takes the token "once" once; counts what reaches its enrolment.
    private final class Office: Sendable {
        let estate: Estate
        let asked = Mutex(0)
        let agent: String
        init(agent: String = "agent-1") throws {
            estate = try Estate()
            self.agent = agent
        }

        @Sendable func respond(_ request: Request, _ channel: any Channel) async throws -> Response {
            if request.uri.path == Enrolment.authorityRoute {
                return Response(
                    status: .ok,
                    body: ResponseBody(byteBuffer: ByteBuffer(string: try estate.authority.certificatePEM())))
            }
            let turn = asked.withLock { count in
                count += 1
                return count
            }
            let body = try await request.body.collect(upTo: 1 << 20)
            let order = try CanonicalJSON.decode(
                EnrolRequest.self, from: Array(body.readableBytesView), wrong: .usage)
            guard order.token == "once", turn == 1 else { throw Failure(.refused, "The token is used") }
            let site = try Site(
                id: Site.ID("hk-alc"), title: "", failureDomain: "", vault: Vault(id: Vault.ID("v"), path: "/v"),
                address: "https://127.0.0.1:1", peer: nil, accelerator: .auto)
            return try Estate.json(
                EnrolResponse(
                    agent: EnrolledAgent.ID("agent-1"), site: site,
                    certificate: estate.authority.issueAgent(
                        Estate.identity("hk-alc", agent), signingRequest: order.signingRequest, at: estate.now),
                    authority: estate.authority.certificatePEM(), coordinator: "https://127.0.0.1:2"))
        }

        func run<T: Sendable>(_ body: @escaping @Sendable (String) async throws -> T) async throws -> T {
            try await Estate.serving(estate.server().serverConfiguration(), respond, body)
        }
    }

    private static func enrol(_ location: String, _ fingerprint: Digest, _ token: String = "once") async throws
        -> Enrolment.Enrolled
    {
        try await Enrolment.enrol(
            coordinator: location, fingerprint: fingerprint, token: token, keys: keys, program: "test")
    }

    @Test func aTokenBuysACertificateForOurOwnKey() async throws {
        let office = try Office()
        let fingerprint = try office.estate.authority.fingerprint()
        let enrolled = try await office.run { try await Self.enrol($0, fingerprint) }
        #expect(enrolled.identity.agent == (try Estate.identity("hk-alc", "agent-1")))
        #expect(enrolled.response.coordinator == "https://127.0.0.1:2")
    }

    @Test func aWrongFingerprintIsRefusedBeforeTheTokenIsSent() async throws {
        let office = try Office()
        let code = try await office.run { location in
            await failure { _ = try await Self.enrol(location, Digest.zero) }
        }
        #expect(code == .refused)
        #expect(office.asked.withLock { $0 } == 0)
    }

    @Test func anImpostorWhoShowsTheRightAuthorityGetsNoToken() async throws {
        // It knows the public certificate of our authority, and has none from it.
        let office = try Office()
        let fingerprint = try office.estate.authority.fingerprint()
        let impostor = try Estate().server()
        let code = try await Estate.serving(impostor.serverConfiguration(), office.respond) { location in
            await failure { _ = try await Self.enrol(location, fingerprint) }
        }
        #expect(code == .refused)
        #expect(office.asked.withLock { $0 } == 0)
    }

    @Test func aUsedTokenIsRefused() async throws {
        let office = try Office()
        let fingerprint = try office.estate.authority.fingerprint()
        let code = try await office.run { location in
            _ = try await Self.enrol(location, fingerprint)
            return await failure { _ = try await Self.enrol(location, fingerprint) }
        }
        #expect(code == .refused)
    }

    @Test func aCertificateForSomebodyElseIsNotTaken() async throws {
        let office = try Office(agent: "agent-2")
        let fingerprint = try office.estate.authority.fingerprint()
        let code = try await office.run { location in await failure { _ = try await Self.enrol(location, fingerprint) }
        }
        #expect(code == .damaged)
    }
}
