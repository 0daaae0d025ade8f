import Glibc
import Platform
import Synchronization

/// Signals that ask the program to end: taken by one thread, which tells the rest.
///
/// The first is a request: commands that change something wind up at their next step. The second ends the program, and so
/// does the first after some time: whatever waits in a call to the system, on a dead server or a pipe that nobody writes
/// to, never gets to a next step. Every write is safe to be cut off at any point, so that each leaves a sound vault.
final class Interruption: Sendable {
    private let hasCome = Atomic<Bool>(false)
    private let first = Monitor<(hasCome: Bool, action: (@Sendable () -> Void)?)>((false, nil))

    /// Seconds that a command has to wind up.
    private static let patience = 30

    /// Must be made before any thread is: threads inherit what is blocked.
    init() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] where !Self.isIgnored(number) { unsafe sigaddset(&signals, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        let awaited = signals
        // Lives as long as the program.
        _ = EngineThread(name: "signals") { [self] in
            var signals = awaited
            var number: Int32 = 0
            guard unsafe sigwait(&signals, &number) == 0 else { return }
            take()
            var patience = timespec(tv_sec: Self.patience, tv_nsec: 0)
            while true {
                let again = unsafe sigtimedwait(&signals, nil, &patience)
                if again < 0, errno == EINTR { continue }
                end(again < 0 ? number : again, hasWaited: again < 0)
            }
        }
    }

    /// Under `nohup`, or in the background of a script, a signal may have been ignored on purpose.
    private static func isIgnored(_ number: Int32) -> Bool {
        var current = sigaction()
        guard unsafe sigaction(number, nil, &current) == 0 else { return false }
        return unsafe unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    private func take() {
        hasCome.store(true, ordering: .relaxed)
        let action = first.access { state in
            state.hasCome = true
            return state.action
        }
        // By another thread: it may wait for what hangs.
        if let action { _ = EngineThread(name: "winding up", action) }
    }

    /// As if the signal had done it.
    private func end(_ number: Int32, hasWaited: Bool) -> Never {
        let why = hasWaited ? "ended, since something hangs" : "ended at once"
        // Nor does it wait for whoever reads our words.
        var terminal = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        if unsafe poll(&terminal, 1, 0) == 1 {
            Console.reportEnd("\(why); what was committed before is untouched", exit: 128 + number, RawArguments.texts)
        }
        _exit(128 + number)
    }

    /// What the first signal does; at once, if it has come already.
    func onFirst(_ action: @escaping @Sendable () -> Void) {
        let isLate = first.access { state in
            state.action = action
            return state.hasCome
        }
        if isLate { action() }
    }

    /// Whether a signal has come.
    var isAsked: Bool { hasCome.load(ordering: .relaxed) }

    /// - Throws: `.cancelled` once a signal has come.
    func check() throws(Failure) {
        if isAsked { throw Failure(.cancelled, "interrupted", advice: "It was asked to stop") }
    }
}
