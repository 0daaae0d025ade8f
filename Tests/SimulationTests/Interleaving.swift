import Platform
import Support

/// Lets several programs run one store call at a time, in an order that a seed decides.
///
/// Every program runs on threads of its own. Before each store call it waits for its turn; a turn is given when all
/// programs wait or have ended, so between two calls exactly one of them moves, and one seed gives one order.
final class Interleaving: Sendable {
    private struct State {
        var seed: Seed
        /// Tickets of the calls that wait, by program; a program of several threads may have several.
        var waiting: [[Int]]
        var ended: [Bool]
        var turn: (program: Int, ticket: Int)?
        var tickets = 0
        var steps = 0
        var order: [UInt8] = []
        /// Chance in a hundred that the program which had the last turn has the next: it runs ahead while the others sleep.
        var eagerness: Int
    }

    private let monitor: Monitor<State>
    /// A run that is not over after so many calls has programs that keep each other from their ends.
    private let limit: Int

    init(seed: UInt64, programs: Int, limit: Int = 160_000) {
        self.limit = limit
        monitor = Monitor(
            State(
                seed: Seed(seed), waiting: Array(repeating: [], count: programs),
                ended: Array(repeating: false, count: programs), eagerness: [0, 50, 85, 96][Int(seed / 3 % 4)]))
    }

    /// Store calls made so far, and which program made each.
    var steps: Int { monitor.access { $0.steps } }
    var order: [UInt8] { monitor.access { $0.order } }

    func awaitTurn(_ program: Int) throws(Failure) {
        let ticket = monitor.access { state in
            state.tickets += 1
            state.waiting[program].append(state.tickets)
            Self.give(&state)
            return state.tickets
        }
        let steps = monitor.access(when: { $0.turn.map { $0 == (program, ticket) } ?? false }) { state in
            state.turn = nil
            state.waiting[program].removeAll { $0 == ticket }
            state.steps += 1
            state.order.append(UInt8(program))
            return state.steps
        }
        if steps > limit { throw Failure(.failed, "the programs made \(limit) calls and came to no end") }
    }

    func end(_ program: Int) {
        monitor.access { state in
            state.ended[program] = true
            Self.give(&state)
        }
    }

    private static func give(_ state: inout State) {
        guard state.turn == nil else { return }
        let waiting = state.waiting.indices.filter { !state.waiting[$0].isEmpty }
        guard !waiting.isEmpty, state.waiting.indices.allSatisfy({ state.ended[$0] || !state.waiting[$0].isEmpty })
        else { return }
        var program = waiting[state.seed.below(waiting.count)]
        if let last = state.order.last, waiting.contains(Int(last)), state.seed.below(100) < state.eagerness {
            program = Int(last)
        }
        state.turn = (program, state.waiting[program][0])
    }
}
