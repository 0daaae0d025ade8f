import Conformance
import ObjectStore
import Platform
import Support
import Testing

@Suite struct ConformanceTests {
    @Test func aDirectoryKeepsTheContract() throws {
        let temporary = try TemporaryDirectory("conformance")
        var made = 0
        try assertConformance(
            of: {
                made += 1
                let path = temporary("vault-\(made)")
                try DirectoryStore.makeRoot(at: path)
                return try DirectoryStore(at: path, access: .writing, surroundings: .seeded(UInt64(made)), reserve: 0)
            },
            reopen: {
                try DirectoryStore(at: $0.location, access: .writing, surroundings: .seeded(99), reserve: 0)
            })
    }

    @Test func theStrictDoubleKeepsTheContract() throws {
        try assertConformance(of: { StrictStore() })
    }

    @Test func theFaultyDoubleWithoutFaultsKeepsTheContract() throws {
        try assertConformance(of: { FaultyStore(StrictStore(), seed: 1) { _ in } })
    }

    @Test func theSuiteFindsAStoreThatLosesAcknowledgements() throws {
        #expect(throws: Nonconformance.self) {
            try assertConformance(of: { FaultyStore(StrictStore(), seed: 1) { $0.lostAcknowledgements = 100 } })
        }
    }

    @Test func theSuiteFindsAStoreThatTurnsBits() throws {
        #expect(throws: Nonconformance.self) {
            try assertConformance(of: { FaultyStore(StrictStore(), seed: 1) { $0.bitFlips = 200 } })
        }
    }

    @Test func theSuiteFindsTornListings() throws {
        #expect(throws: Nonconformance.self) { try assertConformance(of: { StrictStore(tornListings: 3) }) }
    }
}
