import Glibc
import Platform
import Synchronization

/// Signals that ask the program to end: taken by one thread, which tells the rest.
///
/// The first is a request: commands that change something wind up at their next step. The second ends the program.
/// Every write is safe to be cut off at any point, so that either leaves a sound vault.
final class Interruption: Sendable {
    private let hasCome = Atomic<Bool>(false)
    private let first = Monitor<(count: Int, action: (@Sendable () -> Void)?)>((0, nil))

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
            while true {
                var number: Int32 = 0
                guard unsafe sigwait(&signals, &number) == 0 else { return }
                take()
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
        let (count, action) = first.access { state in
            state.count += 1
            return (state.count, state.action)
        }
        if count == 1 {
            action?()
        } else if count > 1 {
            Console.write("\nbreakwater: ended at once; what was committed before is untouched\n", to: STDERR_FILENO)
            _exit(Failure.Code.cancelled.exitCode)
        }
    }

    /// What the first signal does; at once, if it has come already.
    func onFirst(_ action: @escaping @Sendable () -> Void) {
        let isLate = first.access { state in
            state.action = action
            return state.count > 0
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
