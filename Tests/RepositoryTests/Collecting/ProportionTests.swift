import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// Forgetting and condemning in a large repository, by the log's state alone.
struct ProportionTests {
    @Test(.timeLimit(.minutes(2))) func aThousandOfTenThousandSnapshotsGoInSeconds() throws {
        let world = try RuleWorld()
        var state = world.state
        var snapshots: [Digest] = []
        func apply(_ body: RecordBody, by signer: RuleWorld.Signer = .site) throws {
            world.state = state
            let record = try world.record(body, by: signer)
            // No second holder of the state: a copy of it for each record would be the work of all records again.
            world.state = try LogState(genesis: world.genesis)
            #expect(try state.apply(record, pages: world.pages) == .effective)
        }
        var newest: LogState.Newest?
        for _ in 0..<10_000 {
            var draft = world.draft(packs: 20)
            draft.clear.previous = newest?.manifest
            draft.clear.sequence = (newest?.sequence ?? 0) + 1
            try apply(draft.body, by: .author(world.writer))
            newest = state.newest[world.desktop]
            snapshots.append(draft.snapshot)
        }
        #expect(state.objects.count == 10_000 * 23)

        let clock = ContinuousClock()
        let reads = world.pages.reads
        let forgetting = try clock.measure { try apply(.forget(Array(snapshots.prefix(1000)))) }
        // Nothing is read to forget.
        #expect(world.pages.reads == reads)
        let condemning = try clock.measure {
            let plan = try CollectPlan(state, try Needs(state, world.pages), listed: [:], world.pages)
            let going = plan.condemnable
            #expect(going.count == 1000 * 23)
            for start in stride(from: 0, to: going.count, by: 8000) {
                try apply(
                    .condemn(.inline(Array(going[start..<min(start + 8000, going.count)])), counted: state.head))
            }
        }
        print("forgetting 1,000 of 10,000 snapshots: \(forgetting); condemning 23,000 objects: \(condemning)")
        // Each count of what is needed reads each set once: one for the plan, one for each record.
        #expect(world.pages.reads - reads <= 4 * 9000)
        #expect(state.objects.values.filter { $0.status == .condemned }.count == 23_000)
    }
}
