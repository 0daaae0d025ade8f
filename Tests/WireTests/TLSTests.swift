import Hummingbird
import Model
import NIOSSL
import Platform
import Testing
import Wire

@Suite struct TLSTests {
    /// Who the caller is, as a server behind mutual TLS sees it.
    private static let whoIsThere: Estate.Respond = { _, channel in
        try Estate.json(["caller": try await PeerCertificate.agent(on: channel).uri])
    }

    private func ask(_ location: String, _ tls: TLSConfiguration, verifying: String? = nil) async throws -> String {
        let exchange = try Exchange(location, tls: tls, verifying: verifying, connectSeconds: 5)
        do {
            let answer = try await exchange.send(Exchange.Call(.get, "/", seconds: 5))
            await exchange.close()
            return String(decoding: answer.body, as: UTF8.self)
        } catch {
            await exchange.close()
            throw error
        }
    }

    @Test func aServerSeesWhichAgentCalls() async throws {
        let estate = try Estate()
        let agent = try estate.agent("hk-alc", "agent-1")
        let seen = try await Estate.serving(estate.server().mutualServerConfiguration(), Self.whoIsThere) { location in
            try await ask(location, agent.clientConfiguration())
        }
        #expect(seen == #"{"caller":"breakwater:agent:hk-alc:agent-1"}"#)
    }

    @Test func aClientWithoutACertificateIsRefused() async throws {
        let estate = try Estate()
        let tls = try TLSIdentity.clientConfiguration(trustingPEM: estate.authority.certificatePEM())
        let code = try await Estate.serving(estate.server().mutualServerConfiguration(), Self.whoIsThere) { location in
            await failure { _ = try await ask(location, tls) }
        }
        #expect(code == .refused || code == .unreachable)
    }

    @Test func aCertificateOfAnotherAuthorityIsRefusedByTheServer() async throws {
        let (ours, theirs) = (try Estate(), try Estate())
        let stranger = try theirs.agent("hk-alc", "agent-1")
        // The stranger trusts our server, so that only the server can refuse.
        let forged = try TLSIdentity(
            key: stranger.key, certificate: stranger.certificate, authority: ours.authority.certificatePEM())
        let code = try await Estate.serving(ours.server().mutualServerConfiguration(), Self.whoIsThere) { location in
            await failure { _ = try await ask(location, forged.clientConfiguration()) }
        }
        #expect(code == .refused || code == .unreachable)
    }

    @Test func aServerOfAnotherAuthorityIsRefusedByTheClient() async throws {
        let (ours, theirs) = (try Estate(), try Estate())
        let agent = try ours.agent("hk-alc", "agent-1")
        let code = try await Estate.serving(theirs.server().serverConfiguration(), Self.whoIsThere) { location in
            await failure { _ = try await ask(location, agent.clientConfiguration()) }
        }
        #expect(code == .refused)
    }

    @Test func aServerUnderAnotherNameIsRefused() async throws {
        let estate = try Estate()
        let tls = try TLSIdentity.clientConfiguration(trustingPEM: estate.authority.certificatePEM())
        let code = try await Estate.serving(estate.server(["elsewhere.example"]).serverConfiguration(), Self.whoIsThere)
        {
            location in await failure { _ = try await ask(location, tls) }
        }
        #expect(code == .refused)
    }

    @Test func anAgentCannotPoseAsTheCoordinatorOrAsAnotherAgent() async throws {
        let estate = try Estate()
        let impostor = try estate.agent("hk-alc", "agent-1")
        let caller = try estate.agent("cn-shbao", "agent-2")
        let codes = try await Estate.serving(impostor.mutualServerConfiguration(), Self.whoIsThere) { location in
            let other = try Estate.identity("hk-alc", "agent-9").hostName
            return [
                await failure { _ = try await ask(location, caller.clientConfiguration()) },
                await failure { _ = try await ask(location, caller.clientConfiguration(), verifying: other) },
            ]
        }
        #expect(codes == [.refused, .refused])
    }

    @Test func anAgentIsVerifiedByItsNameWhateverItsAddress() async throws {
        let estate = try Estate()
        let served = try estate.agent("hk-alc", "agent-1")
        let caller = try estate.agent("cn-shbao", "agent-2")
        let name = try Estate.identity("hk-alc", "agent-1").hostName
        let seen = try await Estate.serving(served.mutualServerConfiguration(), Self.whoIsThere) { location in
            try await ask(location, caller.clientConfiguration(), verifying: name)
        }
        #expect(seen.contains("cn-shbao:agent-2"))
    }

    @Test func aCertificateWhoseTimeHasNotComeIsRefused() async throws {
        let now = Surroundings.system.now()
        let late = Timestamp(nanoseconds: now.nanoseconds + 2 * 3600 * 1_000_000_000)
        let estate = try Estate(now: now)
        let early = try estate.authority.issueServer(names: ["127.0.0.1"], at: late)
        let tls = try TLSIdentity.clientConfiguration(trustingPEM: estate.authority.certificatePEM())
        let code = try await Estate.serving(early.serverConfiguration(), Self.whoIsThere) { location in
            await failure { _ = try await ask(location, tls) }
        }
        #expect(code == .refused)
    }

    @Test func nobodyListeningIsUnreachable() async throws {
        let tls = try TLSIdentity.clientConfiguration(trustingPEM: try Estate().authority.certificatePEM())
        #expect(await failure { _ = try await ask("https://127.0.0.1:1", tls) } == .unreachable)
    }

    @Test func anAnswerLongerThanAskedForIsRefused() async throws {
        let estate = try Estate()
        let tls = try TLSIdentity.clientConfiguration(trustingPEM: estate.authority.certificatePEM())
        let respond: Estate.Respond = { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 7, count: 2 << 20)))
        }
        let code = try await Estate.serving(estate.server().serverConfiguration(), respond) { location in
            await failure { _ = try await ask(location, tls) }
        }
        #expect(code == .damaged)
    }
}
