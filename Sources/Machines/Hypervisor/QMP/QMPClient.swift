package import Platform
internal import Synchronization

/// One connection to QEMU's monitor (QEMU Machine Protocol). Commands go one at a time, from any thread; a reply is
/// taken only by the command whose number it carries. Events that arrive meanwhile are kept, the oldest dropped when
/// there are too many. Once a reply was missed the connection is useless, and every later command says so.
package final class QMPClient: Sendable {
    package static let mostEvents = 256

    private struct State {
        var lines: LineSocket
        var next: Int64 = 1
        var events: [QMPMessage.Event] = []
        var dropped = 0
        var broken: Failure?
    }

    private let state: Mutex<State>
    package let version: String

    /// Takes the greeting and leaves negotiation mode.
    package init(_ socket: StreamSocket, within limit: Duration) throws(Failure) {
        let lines = LineSocket(socket)
        guard let line = try lines.next(by: .after(limit)) else {
            throw Failure(.unreachable, "The monitor closed before its greeting")
        }
        guard case .greeting(let version) = try QMPMessage(line) else {
            throw Failure(.damaged, "The monitor did not begin with a greeting")
        }
        self.version = version
        state = Mutex(State(lines: lines))
        try perform("qmp_capabilities", within: limit)
    }

    /// Runs one command.
    /// - Throws: `.refused` with QEMU's own reason; `.unreachable` when no answer comes in time or QEMU is gone;
    ///   `.damaged` when what comes is no QMP.
    @discardableResult
    package func perform(
        _ command: String, _ arguments: [String: JSONValue] = [:], within limit: Duration = .seconds(10)
    ) throws(Failure) -> JSONValue {
        let outcome: Result<JSONValue, Failure> = state.withLock { state in
            do throws(Failure) {
                return .success(try Self.perform(command, arguments, by: .after(limit), &state))
            } catch {
                if error.code != .refused { state.broken = error }
                return .failure(error)
            }
        }
        do { return try outcome.get() } catch { throw error.during("QEMU's \(command)") }
    }

    /// The events since the last call, oldest first, and how many were dropped before them.
    package func takeEvents() -> (events: [QMPMessage.Event], dropped: Int) {
        state.withLock { state in
            defer {
                state.events = []
                state.dropped = 0
            }
            return (state.events, state.dropped)
        }
    }

    private static func perform(
        _ command: String, _ arguments: [String: JSONValue], by deadline: Deadline, _ state: inout State
    ) throws(Failure) -> JSONValue {
        if let broken = state.broken {
            throw Failure(.unreachable, "The monitor was lost earlier", cause: broken)
        }
        let identifier = state.next
        state.next += 1
        var message: [String: JSONValue] = ["execute": .string(command), "id": .integer(identifier)]
        if !arguments.isEmpty { message["arguments"] = .object(arguments) }
        try state.lines.send(Array((JSONValue.object(message).text + "\n").utf8), by: deadline)

        while true {
            if deadline.hasPassed { throw Failure(.unreachable, "No answer in time") }
            guard let line = try state.lines.next(by: deadline) else {
                throw Failure(.unreachable, "QEMU has ended")
            }
            switch try QMPMessage(line) {
            case .event(let event):
                state.events.append(event)
                if state.events.count > mostEvents {
                    state.events.removeFirst()
                    state.dropped += 1
                }
            case .reply(identifier, let result): return result
            case .refusal(let number, let kind, let reason) where number == identifier || number == nil:
                throw Failure(.refused, "\(reason) (\(kind))")
            case .greeting, .reply, .refusal:
                throw Failure(.damaged, "The monitor answered a command that nobody gave")
            }
        }
    }
}
