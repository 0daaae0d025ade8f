import Model
import Platform
import Repository
import Sealing
import SiteAgent
import Support
import Testing

/// What an agent, and the coordinator behind it, remember of a log that its owner accepted after a roll-back.
struct AgentHeadsTests {
    private let vault = VaultID.random(.seeded(1))
    private let digests = (0..<4).map { SHA256.hash([UInt8($0)]) }

    @Test func anAcceptedHeadIsRememberedThoughItIsOlder() throws {
        let directory = try TemporaryDirectory("heads")
        let heads = AgentHeads(directory: directory.path)
        try heads.remember(RepositoryHead(number: 9, hash: digests[0]), of: vault, at: "here")
        try heads.remember(RepositoryHead(number: 5, hash: digests[1]), of: vault, at: "here")
        #expect(try heads.lastSeen(vault, at: "here")?.number == 9)
        let accepted = RepositoryHead(number: 6, hash: digests[2], accepted: [digests[1]])
        try heads.remember(accepted, of: vault, at: "here")
        #expect(try heads.lastSeen(vault, at: "here") == accepted)
        // What the coordinator still believes of the other branch does not count, until it says something newer.
        let old = Model.LogHead(number: 9, hash: digests[0].hex)
        #expect(try heads.with([vault: old]).lastSeen(vault, at: "here") == accepted)
        let new = Model.LogHead(number: 9, hash: digests[3].hex, accepted: [digests[1].hex])
        #expect(try heads.with([vault: new]).lastSeen(vault, at: "here")?.hash == digests[3])
        #expect(new.acceptsMore(than: old) && !old.acceptsMore(than: new))
    }
}
