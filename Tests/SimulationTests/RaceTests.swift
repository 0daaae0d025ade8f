import Platform
import Testing

/// Two writers, a copier, a restorer that claims nothing and two collectors race on one repository in two vaults; answers
/// get lost, puts and deletes come twice and late, writers and collectors die. What was committed and not forgotten
/// reads back, and everybody gets to the end.
struct RaceTests {
    @Test(arguments: 1...60) func whatIsCommittedAndNotForgottenReadsBack(seed: UInt64) throws {
        var voyage = try Voyage(seed: seed)
        try voyage.run()
        #expect(voyage.complaints == [], "seed \(seed)")
    }

    @Test(arguments: [3, 8, 13] as [UInt64]) func oneSeedGivesOneOrder(seed: UInt64) throws {
        var (first, again) = (try Voyage(seed: seed), try Voyage(seed: seed))
        try first.run()
        try again.run()
        #expect(first.turns.order == again.turns.order)
        // Every byte that was put: nothing draws randomness of its own.
        #expect(first.origin.access(at: 0) { $0 } == again.origin.access(at: 0) { $0 })
        #expect(first.copy.access(at: 0) { $0 } == again.copy.access(at: 0) { $0 })
    }

    @Test func theRacesAreWorthTheirName() throws {
        var (condemned, refused, copied, late, staged) = (0, 0, 0, 0, 0)
        var (deleted, released, restored, repacked) = (0, 0, 0, 0)
        for seed in 100..<108 as Range<UInt64> {
            var voyage = try Voyage(seed: seed)
            try voyage.run()
            #expect(voyage.complaints == [], "seed \(seed)")
            let said = voyage.ledger.contents
            condemned += said.condemned
            refused += said.refused
            copied += said.copied
            staged += said.staged
            deleted += said.deleted
            released += said.released
            restored += said.restored
            repacked += said.repacked
            late += voyage.origin.delivered + voyage.copy.delivered
        }
        #expect(condemned > 20 && refused > 0 && copied > 8 && late > 20 && staged > 8)
        #expect(deleted > 20 && released > 4 && restored > 4 && repacked > 0)
    }
}
