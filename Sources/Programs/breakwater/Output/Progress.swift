import Platform

/// How far a command has come: one line rewritten on a terminal, an event now and then among JSON. Being told of
/// progress is also how a command learns that it is to stop.
final class Progress: Sendable {
    private struct State {
        var expected: UInt64?
        var drawn: UInt64 = 0
        var told: UInt64
        /// Of the last drawing, for the rate.
        var mark: (time: UInt64, bytes: UInt64)
        /// Bytes a second, of late.
        var rate: Double = 0
        /// When the first bytes had moved.
        var began: UInt64?
    }

    private let verb: String
    private let console: Console
    private let surroundings: Surroundings
    private let interruption: Interruption
    private let state: Monitor<State>

    /// Nanoseconds between two drawings, and between two events.
    private static let drawingPause: UInt64 = 200_000_000
    private static let tellingPause: UInt64 = 10_000_000_000
    /// So long what is left is not guessed at: the first bytes say nothing of the rate.
    private static let guessingPause: UInt64 = 5_000_000_000

    init(_ verb: String, _ console: Console, _ surroundings: Surroundings, _ interruption: Interruption) {
        self.verb = verb
        self.console = console
        self.surroundings = surroundings
        self.interruption = interruption
        let now = surroundings.uptime()
        state = Monitor(State(told: now, mark: (now, 0)))
    }

    /// How many bytes there will be, when that becomes known.
    func expect(_ bytes: UInt64) { state.access { $0.expected = bytes } }

    /// Notes how far it is.
    /// - Throws: `.cancelled` when the command is to stop.
    func update(bytes: UInt64, files: UInt64) throws(Failure) {
        try interruption.check()
        note(bytes: bytes, files: files)
    }

    /// Notes how far it is. Work goes on when nobody reads our output any more.
    func note(bytes: UInt64, files: UInt64) {
        guard !console.isQuiet else { return }
        let now = surroundings.uptime()
        let due = state.access { state -> (line: String?, members: [(String, JSON)]?) in
            var due: (String?, [(String, JSON)]?) = (nil, nil)
            if console.drawsProgress, now &- state.drawn >= Self.drawingPause {
                state.drawn = now
                due.0 = line(&state, now, bytes, files)
            }
            if console.style == .json, now &- state.told >= Self.tellingPause {
                state.told = now
                var members: [(String, JSON)] = [
                    ("event", "progress"), ("bytes", .number(bytes)), ("files", .number(files)),
                ]
                if let expected = state.expected { members.append(("expectedBytes", .number(expected))) }
                due.1 = members
            }
            return due
        }
        if let line = due.line { console.draw(line) }
        if let members = due.members {
            try? console.tell(members)
            try? console.flush()
        }
    }

    private func line(_ state: inout State, _ now: UInt64, _ bytes: UInt64, _ files: UInt64) -> String {
        let seconds = Double(now &- state.mark.time) / 1e9
        if seconds > 0 {
            let rate = Double(bytes - min(bytes, state.mark.bytes)) / seconds
            // The rate of about the last three seconds.
            let weight = state.rate == 0 ? 1 : min(1, seconds / 3)
            state.rate += (rate - state.rate) * weight
        }
        state.mark = (now, bytes)
        if state.began == nil, bytes > 0 { state.began = now }
        let canGuess = state.began.map { now &- $0 >= Self.guessingPause } ?? false
        var parts = [verb, Words.bytes(bytes)]
        if let expected = state.expected, expected > 0 {
            parts[1] += " of \(Words.bytes(max(expected, bytes)))"
            parts.append("\(min(100, Int(Double(bytes) / Double(expected) * 100)))%")
        }
        if files > 0 { parts.append(Words.count(files, "file", "files")) }
        parts.append("\(Words.bytes(UInt64(max(0, state.rate))))/s")
        if let expected = state.expected, expected > bytes, state.rate > 1, canGuess {
            parts.append("\(Words.duration(seconds: UInt64(Double(expected - bytes) / state.rate))) left")
        }
        return parts.joined(separator: "  ")
    }
}
