import Crypto
import Model
import Platform
import Testing
import Wire

@Suite struct CertificateAuthorityTests {
    @Test func anAgentsCertificateNamesItsSiteAndItsID() throws {
        let estate = try Estate()
        #expect(try estate.agent("hk-alc", "agent-1").agent == Estate.identity("hk-alc", "agent-1"))
    }

    @Test func aServersCertificateNamesNoAgent() throws {
        #expect(try Estate().server().agent == nil)
    }

    @Test func anAuthorityComesBackFromItsPEM() throws {
        let authority = try Estate().authority
        let again = try CertificateAuthority(certificate: authority.certificatePEM(), key: authority.keyPEM)
        #expect(try again.fingerprint() == authority.fingerprint())
    }

    @Test func aKeyOfAnotherAuthorityIsNotTaken() throws {
        let (one, other) = (try Estate().authority, try Estate().authority)
        #expect(throws: Failure(.damaged, "")) {
            try CertificateAuthority(certificate: one.certificatePEM(), key: other.keyPEM)
        }
    }

    @Test func aRequestThatItsKeyDidNotSignIsRefused() throws {
        let estate = try Estate()
        let (_, request) = try TLSIdentity.makeSigningRequest()
        // The signature is the end of the request: another character there makes it another number.
        var lines = request.split(separator: "\n").map(String.init)
        let last = lines.count - 2
        let place = lines[last].index(lines[last].startIndex, offsetBy: 4)
        lines[last].replaceSubrange(place...place, with: lines[last][place] == "A" ? "B" : "A")
        let forged = lines.joined(separator: "\n")
        #expect(throws: Failure.self) {
            try estate.authority.issueAgent(
                Estate.identity("hk-alc", "agent-1"), signingRequest: forged, at: estate.now)
        }
    }

    @Test func aKeyAndACertificateMustBelongTogether() throws {
        let estate = try Estate()
        let (one, other) = (try estate.agent("a", "x"), try estate.agent("a", "y"))
        #expect(throws: Failure(.damaged, "")) {
            try TLSIdentity(key: one.key, certificate: other.certificate, authority: one.authority)
        }
    }

    @Test(arguments: ["", "a b", "UPPER", "*.example", "-a", "a..b", "a/b", "café"])
    func aServerNameThatIsNoneIsRefused(name: String) throws {
        #expect(throws: Failure(.usage, "")) { try Estate().server([name]) }
    }

    @Test(arguments: [
        "", "breakwater:agent:", "breakwater:agent:a", "breakwater:agent:a:b:c", "breakwater:agent:A:b",
        "breakwater:agent::b", "https://a/b",
    ])
    func onlyOurOwnFormOfURIIsAnIdentity(uri: String) { #expect(AgentIdentity(uri: uri) == nil) }
}
