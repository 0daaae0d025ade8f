import Glibc
import Platform
import Testing

/// Writers, one of which may fall asleep for a month, a copier, two collectors that repack, a restorer that claims
/// nothing, a checker, the owner who changes keys, and in some runs a stolen writer, or a disk that goes bad and whoever
/// repairs it, race on one repository in two vaults;
/// answers get lost, puts and deletes come late and twice, listings miss objects, clocks jump, a writer, the collectors
/// and the owner die. What was committed and not forgotten reads back bit for bit, what was destroyed never does, and
/// everybody gets to the end.
struct RaceTests {
    /// `make simulate SEED=x`: that one alone. `make simulate SEEDS=n`: so many, from a beginning of their own.
    private static let one = getenv("BREAKWATER_SEED").flatMap { UInt64(String(cString: $0)) }
    private static let many = getenv("BREAKWATER_SEEDS").flatMap { UInt64(String(cString: $0)) }

    @Test(.enabled(if: one == nil && many == nil)) func whatIsCommittedReadsBackAndWhatIsDestroyedDoesNot() throws {
        let fleet = try Fleet(seeds: 1...48)
        #expect(fleet.complaints == [])
        // The races are worth their name: everything that they are for happens.
        // That a thief leads somebody astray need not, nor that anything rots for good.
        for event in Ledger.Event.allCases where event != .astray && event != .gone {
            #expect(fleet.counts[event, default: 0] > 0, "\(event)")
        }
    }

    @Test(.enabled(if: one == nil && many == nil), arguments: [3, 9, 12] as [UInt64])
    func oneSeedGivesOneRun(seed: UInt64) throws {
        var (first, again) = (try Voyage(seed: seed), try Voyage(seed: seed))
        try first.run()
        try again.run()
        #expect(first.turns.trace == again.turns.trace && first.turns.steps == again.turns.steps)
        // Every byte that was put: nothing draws randomness of its own.
        #expect(first.origin.access(at: Sea.afterwards) { $0 } == again.origin.access(at: Sea.afterwards) { $0 })
        #expect(first.copy.access(at: Sea.afterwards) { $0 } == again.copy.access(at: Sea.afterwards) { $0 })
    }

    @Test(.enabled(if: one != nil)) func theSeedThatWasAskedFor() throws {
        guard let seed = Self.one else { return }
        var voyage = try Voyage(seed: seed)
        try voyage.run()
        let counts = Ledger.Event.allCases.map { "\($0) \(voyage.ledger.contents.counts[$0, default: 0])" }
        let trace = String(voyage.turns.trace, radix: 16)
        print("seed \(seed): \(voyage.turns.steps) calls, trace \(trace): \(counts.joined(separator: ", "))")
        #expect(voyage.complaints == [])
    }

    @Test(.enabled(if: many != nil)) func asManySeedsAsWereAskedFor() throws {
        guard let count = Self.many, count > 0 else { return }
        let first = getenv("BREAKWATER_SEEDS_FROM").flatMap { UInt64(String(cString: $0)) } ?? 1000
        #expect(try Fleet(seeds: first...first + count - 1).complaints == [])
    }
}
