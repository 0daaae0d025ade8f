import Coordinator
import Foundation
import Model
import Platform
import Testing
import Wire

@Suite struct EnrolmentTests {
    @Test func aTokenBuysOneCertificateAndNoSecond() async throws {
        try await Estate().running { house in
            let token = try await house.token("hk-alc", "agent-hk")
            let agent = try await TestAgent.enrol(house, token)
            #expect(agent.identity.agent == AgentIdentity(site: try .init("hk-alc"), agent: try .init("agent-hk")))
            #expect(try await agent.poll().assignments.isEmpty)
            #expect(await failure { _ = try await TestAgent.enrol(house, token) } == .refused)
            let known = try await house.get(Listing<EnrolledAgent>.self, OperatorRoute.agents).items
            #expect(known.map(\.keys) == [agent.keys])
        }
    }

    @Test func tokensThatAreWrongOrTooOldAreRefusedAlike() async throws {
        try await Estate().running { house in
            var wrong = try await house.token("hk-alc", "agent-hk")
            let old = wrong
            wrong.token = "bwe-" + String(repeating: "0", count: 64)
            #expect(await failure { _ = try await TestAgent.enrol(house, wrong) } == .refused)
            house.clock.advance(seconds: 301)
            #expect(await failure { _ = try await TestAgent.enrol(house, old) } == .refused)
            #expect(await failure { _ = try await house.token("nowhere", "agent-hk") } == .notFound)
        }
    }

    @Test func theTokenItselfIsNotKept() async throws {
        try await Estate().running { house in
            let token = try await house.token("hk-alc", "agent-hk")
            for name in ["", "-wal"] {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: house.catalogPath + name))
                #expect(bytes.range(of: Data(token.token.dropFirst(4).utf8)) == nil)
            }
        }
    }

    @Test func whoEnrolsAgainLocksTheOldCertificateOut() async throws {
        try await Estate().running { house in
            let old = try await house.enrol("hk-alc", "agent-hk")
            let new = try await house.enrol("hk-alc", "agent-hk")
            #expect(await failure { _ = try await old.poll() } == .refused)
            #expect(try await new.poll().assignments.isEmpty)
            #expect(await failure { _ = try await house.token("cn-shbao", "agent-hk") } == .exists)
        }
    }

    @Test func withoutACertificateOfOursNobodyGetsToTheAgentsListener() async throws {
        try await Estate().running { house in
            _ = try await house.enrol("hk-alc", "agent-hk")
            let poll = PollRequest(working: [], room: 1, seconds: 0, program: "x")
            // Somebody else's authority, issuing the very same names.
            let stranger = try CertificateAuthority.make(name: "stranger", at: house.now)
            let (key, request) = try TLSIdentity.makeSigningRequest()
            let forged = try TLSIdentity(
                key: key,
                certificate: try stranger.issueAgent(
                    AgentIdentity(site: .init("hk-alc"), agent: .init("agent-hk")), signingRequest: request,
                    at: house.now),
                authority: house.authority)
            let client = try AgentClient(coordinator: house.addresses.agents, identity: forged)
            // The handshake ends it; whether the alert or the end of the connection is seen first is a race.
            let turnedAway: Set<Failure.Code> = [.refused, .unreachable]
            let asForger = await failure { _ = try await client.poll(poll) }
            #expect(asForger.map(turnedAway.contains) == true)
            await client.close()
            // No certificate at all: the operators' client, with its token.
            let bare = try OperatorClient(
                coordinator: house.addresses.agents, authority: house.authority, token: house.token)
            let bareHanded = await failure { _ = try await bare.get(Health.self, OperatorRoute.health) }
            #expect(bareHanded.map(turnedAway.contains) == true)
            await bare.close()
        }
    }

    @Test func operatorsNeedTheToken() async throws {
        try await Estate().running { house in
            for token in ["x", String(house.token.dropLast()), house.token + "0"] {
                let client = try OperatorClient(
                    coordinator: house.addresses.operators, authority: house.authority, token: token)
                #expect(await failure { _ = try await client.get(Listing<Site>.self, OperatorRoute.sites) } == .refused)
                #expect(try await client.get(Health.self, OperatorRoute.health).status == "ok")
                await client.close()
            }
            #expect(try await house.get(Listing<Site>.self, OperatorRoute.sites).items.count == 2)
        }
    }
}
