import Glibc
import Platform
import Testing

/// Desktops that lean on templates race with the provider who forgets and repacks them, with collectors that let templates
/// go, and with the copies of both at another site. What was committed and not forgotten reads back bit for bit.
struct LeanRaceTests {
    private static let many = getenv("BREAKWATER_LEAN_SEEDS").flatMap { UInt64(String(cString: $0)) }

    @Test func whatLeansReadsBackWhileTemplatesAreForgottenRepackedAndLetGo() throws {
        let next = Monitor(UInt64(1))
        let last = Self.many ?? 12
        let said = Monitor((complaints: [String](), counts: [Estuary.Event: Int](), calls: 0))
        try Workers.concurrently(2) { _ in
            while true {
                let seed = next.access { next in
                    defer { next += 1 }
                    return next
                }
                guard seed <= last else { return }
                let run = try Estuary(seed: seed)
                let complaints = try run.run().map { "seed \(seed): \($0)" }
                for complaint in complaints { print(complaint) }
                let counts = run.counts.access { $0 }
                said.access {
                    $0.complaints += complaints
                    $0.counts.merge(counts, uniquingKeysWith: +)
                    $0.calls += run.turns.steps
                }
            }
        }
        let (complaints, counts, calls) = said.access { $0 }
        print("leaning: \(last) seeds, \(calls) store calls, \(counts.map { "\($0.key) \($0.value)" }.sorted())")
        #expect(complaints == [])
        for event in Estuary.Event.allCases { #expect(counts[event, default: 0] > 0, "\(event)") }
    }
}
