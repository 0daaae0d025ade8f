import Platform
import Support

/// Lets several programs run one store call at a time, in an order that a seed decides.
///
/// Every program runs on threads of its own. Before each store call it waits for its turn; a turn is given when all
/// programs wait or have ended, so between two calls exactly one of them moves, and one seed gives one order. A program
/// that falls asleep has no turn until all others have ended; one that rests has none while others can move.
final class Interleaving: Sendable {
    private struct State {
        var seed: Seed
        /// Tickets of the calls that wait, by program; a program of several threads may have several.
        var waiting: [[Int]]
        var ended: [Bool]
        var isTaken = false
        var tickets = 0
        var steps = 0
        var last: Int?
        /// A hash of every call so far and of who made it (FNV-1a).
        var trace: UInt64 = 0xcbf2_9ce4_8422_2325
        /// Chance in a hundred that the program which had the last turn has the next: it runs ahead while the others sleep.
        let eagerness: Int
        /// Of their own calls, after how many programs fall asleep.
        var naps: [Int: Int]
        var asleep: Set<Int> = []
        var woken: Set<Int> = []
        var restsUntil: [Int]
    }

    private typealias Turn = (program: Int, ticket: Int)

    private let monitor: Monitor<State>
    /// Where each program waits: the ticket that has the turn.
    private let gates: [Monitor<Int>]
    /// A run that is not over after so many calls has programs that keep each other from their ends.
    private let limit: Int

    init(seed: UInt64, programs: Int, naps: [Int: Int] = [:], limit: Int = 200_000) {
        self.limit = limit
        gates = (0..<programs).map { _ in Monitor(0) }
        monitor = Monitor(
            State(
                seed: Seed(seed), waiting: Array(repeating: [], count: programs),
                ended: Array(repeating: false, count: programs), eagerness: [0, 50, 85, 96][Int(seed / 3 % 4)],
                naps: naps, restsUntil: Array(repeating: 0, count: programs)))
    }

    /// Store calls made so far, and the hash of all of them.
    var steps: Int { monitor.access { $0.steps } }
    var trace: UInt64 { monitor.access { $0.trace } }

    /// Whether the program slept through everything the others did.
    func hasSlept(_ program: Int) -> Bool { monitor.access { $0.woken.contains(program) } }

    /// Waits for the program's turn to make a call.
    /// - Returns: the number of the call.
    func awaitTurn(_ program: Int, _ call: String) throws(Failure) -> Int {
        let (ticket, turn) = monitor.access { state in
            state.tickets += 1
            state.waiting[program].append(state.tickets)
            if let left = state.naps[program] {
                state.naps[program] = left > 0 ? left - 1 : nil
                if left == 0 { state.asleep.insert(program) }
            }
            return (state.tickets, Self.give(&state))
        }
        open(turn)
        gates[program].access(when: { $0 == ticket }, { $0 = 0 })
        let steps = monitor.access { state in
            state.isTaken = false
            state.waiting[program].removeAll { $0 == ticket }
            state.steps += 1
            state.last = program
            for byte in [UInt8(program)] + call.utf8 { state.trace = (state.trace ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return state.steps
        }
        if steps > limit { throw Failure(.failed, "the programs made \(limit) calls and came to no end") }
        return steps
    }

    /// Leaves the next calls to others, while any of them can make one.
    func rest(_ program: Int, calls: Int) {
        monitor.access { $0.restsUntil[program] = $0.steps + calls }
    }

    func end(_ program: Int) {
        open(
            monitor.access { state in
                state.ended[program] = true
                return Self.give(&state)
            })
    }

    private func open(_ turn: Turn?) {
        if let turn { gates[turn.program].access { $0 = turn.ticket } }
    }

    private static func give(_ state: inout State) -> Turn? {
        guard !state.isTaken, state.ended.indices.allSatisfy({ state.ended[$0] || !state.waiting[$0].isEmpty })
        else { return nil }
        var able = state.waiting.indices.filter { !state.waiting[$0].isEmpty }
        guard !able.isEmpty else { return nil }
        if able.allSatisfy(state.asleep.contains) {
            state.woken.formUnion(state.asleep)
            state.asleep = []
        }
        able.removeAll { state.asleep.contains($0) }
        let rested = able.filter { state.restsUntil[$0] <= state.steps }
        if !rested.isEmpty { able = rested }
        var program = able[state.seed.below(able.count)]
        if let last = state.last, able.contains(last), state.seed.below(100) < state.eagerness { program = last }
        state.isTaken = true
        return (program, state.waiting[program][0])
    }
}
