import Glibc
import Platform

/// Runs of many seeds, two at a time, and how many a second there were.
struct Fleet {
    /// What was wrong, with its seed.
    let complaints: [String]
    let counts: [Ledger.Event: Int]

    private struct State {
        var next: UInt64
        var done = 0
        var calls = 0
        var complaints: [String] = []
        var counts: [Ledger.Event: Int] = [:]
    }

    init(seeds: ClosedRange<UInt64>) throws {
        let monitor = Monitor(State(next: seeds.lowerBound))
        let started = Self.seconds
        @Sendable func report(_ state: State) {
            let elapsed = Self.seconds - started
            let rate = Double(state.done) / elapsed
            print(
                "simulation: \(state.done) seeds from \(seeds.lowerBound) on, \(state.calls) store calls in "
                    + "\(Int(elapsed)) s: \((rate * 10).rounded() / 10) seeds a second, \(state.complaints.count) complaints"
            )
        }
        try Workers.concurrently(2) { _ in
            while true {
                let seed = monitor.access { state in
                    defer { state.next += 1 }
                    return state.next
                }
                guard seed <= seeds.upperBound else { return }
                var complaints: [String]
                var voyage = try Voyage(seed: seed)
                do {
                    try voyage.run()
                    complaints = voyage.complaints
                } catch { complaints = voyage.complaints + ["\(error)"] }
                complaints = complaints.map { "seed \(seed): \($0)" }
                for complaint in complaints { print(complaint) }
                let (counts, calls) = (voyage.ledger.contents.counts, voyage.turns.steps)
                let state = monitor.access { state in
                    state.done += 1
                    state.calls += calls
                    state.complaints += complaints
                    state.counts.merge(counts, uniquingKeysWith: +)
                    return state
                }
                if state.done % 100 == 0 { report(state) }
            }
        }
        let state = monitor.access { $0 }
        report(state)
        (complaints, counts) = (state.complaints, state.counts)
    }

    private static var seconds: Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
