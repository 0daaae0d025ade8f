import Glibc
import Platform

/// Whoever read our standard output is gone.
struct ReaderGone: Error {}

/// Where a command prints: words for people on a terminal, JSON lines into pipes. Warnings and errors go to standard
/// error, as words, with `--json` as objects; the error is among the JSON of the output besides.
final class Console: Sendable {
    enum Style: Sendable { case people, json }

    let style: Style
    /// Whether a line of progress may be drawn on standard error.
    let drawsProgress: Bool
    let isQuiet: Bool
    /// Standard error has objects only.
    private let warnsInJSON: Bool
    let surroundings: Surroundings
    /// Whether words that nobody reads any more are dropped, rather than end the command.
    private let goesOnUnread: Bool

    private struct State {
        var pending: [UInt8] = []
        /// A line of progress stands on the terminal.
        var isDrawn = false
    }
    private let state = Monitor(State())
    private static let most = 64 << 10

    init(_ options: OutputOptions, _ surroundings: Surroundings, goesOnUnread: Bool) {
        let outputIsTerminal = isatty(STDOUT_FILENO) == 1
        style = options.json || (!outputIsTerminal && !options.text) ? .json : .people
        isQuiet = options.quiet
        warnsInJSON = options.json
        drawsProgress = !options.quiet && isatty(STDERR_FILENO) == 1 && !(style == .json && outputIsTerminal)
        self.surroundings = surroundings
        self.goesOnUnread = goesOnUnread
    }

    // MARK: - Results

    /// A line for people; nothing among JSON.
    func say(_ line: @autoclosure () -> String) throws {
        guard style == .people else { return }
        try put(Array((line() + "\n").utf8))
    }

    /// An object for programs; nothing among words.
    func tell(_ members: @autoclosure () -> [(String, JSON)]) throws {
        guard style == .json else { return }
        var line: [UInt8] = []
        JSON.object(members()).append(to: &line)
        line.append(UInt8(ascii: "\n"))
        try put(line)
    }

    private func put(_ line: [UInt8]) throws {
        try state.access { state in
            Self.erase(&state)
            state.pending += line
            if state.pending.count >= Self.most { try flush(&state) }
        }
    }

    /// Sends what was not sent yet.
    func finish() throws {
        try state.access { state in
            Self.erase(&state)
            try flush(&state)
        }
    }

    func flush() throws { try state.access { try flush(&$0) } }

    private func flush(_ state: inout State) throws {
        defer { state.pending = [] }
        do { try Self.send(state.pending) } catch let gone as ReaderGone { if !goesOnUnread { throw gone } }
    }

    /// Bytes that are no words, to standard output.
    static func send(_ bytes: [UInt8]) throws {
        switch send(bytes, to: STDOUT_FILENO) {
        case 0: return
        case EPIPE: throw ReaderGone()
        case let number: throw Failure.system(number, "cannot write to standard output")
        }
    }

    // MARK: - Warnings, errors, progress

    /// Something that the person should know and that does not change what is done.
    func warn(_ text: String) {
        state.access { state in
            Self.erase(&state)
            guard !warnsInJSON else { return Self.write([("event", "warning"), ("what", .text(text))]) }
            Self.write("breakwater: warning: \(Words.visible(text))\n", to: STDERR_FILENO)
        }
    }

    /// The last words of a command that failed; gives the exit code.
    func report(_ failure: Failure) -> Int32 {
        try? tell(Self.members(failure))
        try? finish()
        if warnsInJSON {
            Self.write(Self.members(failure))
        } else {
            Self.write("breakwater: \(Words.visible(failure.description))\n", to: STDERR_FILENO)
        }
        return failure.code.exitCode
    }

    /// For arguments that are not understood, and so cannot be asked how to print: an object on standard error where
    /// `--json` stands among them or nobody watches, and words otherwise. Gives the exit code.
    static func reportUsage(_ failure: Failure, words: String, _ arguments: [String]) -> Int32 {
        let isWatched = isatty(STDOUT_FILENO) == 1 || isatty(STDERR_FILENO) == 1 || arguments.contains("--text")
        if arguments.contains("--json") || !isWatched {
            write(members(failure))
        } else {
            write(words + "\n", to: STDERR_FILENO)
        }
        return failure.code.exitCode
    }

    /// The words of a program that is ended: with `--json` among its arguments an object.
    static func reportEnd(_ what: String, exit code: Int32, _ arguments: [String]) {
        guard arguments.contains("--json") else { return write("\nbreakwater: \(what)\n", to: STDERR_FILENO) }
        write([
            ("event", "error"), ("code", .text(Failure.Code.cancelled.rawValue)), ("exit", .signed(Int64(code))),
            ("what", .text(what)),
        ])
    }

    /// An error as an object. A member that has nothing to say is left out.
    private static func members(_ failure: Failure) -> [(String, JSON)] {
        let what = failure.cause.map { "\(failure.what): \($0)" } ?? failure.what
        let members: [(String, JSON)] = [
            ("event", "error"), ("code", .text(failure.code.rawValue)), ("exit", .signed(Int64(failure.code.exitCode))),
            ("what", .text(what)),
        ]
        return failure.advice.isEmpty ? members : members + [("advice", .text(failure.advice))]
    }

    func draw(_ line: String) {
        guard drawsProgress else { return }
        let width = Self.terminalWidth - 1
        var cut = ""
        var used = 0
        for character in line {
            used += Table.width(String(character))
            if used > width { break }
            cut.append(character)
        }
        state.access { state in
            state.isDrawn = true
            Self.write("\r\u{1B}[K\(cut)", to: STDERR_FILENO)
        }
    }

    private static func erase(_ state: inout State) {
        if state.isDrawn { write("\r\u{1B}[K", to: STDERR_FILENO) }
        state.isDrawn = false
    }

    private static var terminalWidth: Int {
        var size = winsize()
        let result = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
        return result == 0 && size.ws_col > 10 ? Int(size.ws_col) : 80
    }

    // MARK: - Bytes

    static func write(_ text: String, to descriptor: Int32) { _ = send(Array(text.utf8), to: descriptor) }

    /// An object, on standard error.
    private static func write(_ members: [(String, JSON)]) {
        var line: [UInt8] = []
        JSON.object(members).append(to: &line)
        _ = send(line + [UInt8(ascii: "\n")], to: STDERR_FILENO)
    }

    /// 0, or the error's number.
    private static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        unsafe bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count, let base = buffer.baseAddress {
                let count = unsafe Glibc.write(descriptor, base + done, buffer.count - done)
                if count >= 0 {
                    done += count
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
    }
}
