internal import Glibc
package import Logging
internal import Platform
import ServiceLifecycle

/// Ends a program that was told to end and does not: a thread of it may wait in a call to the system that nothing ends, on
/// a dead server or a pipe that nobody writes to. It ends then as by SIGKILL, which leaves nothing half-visible.
///
/// The last service of a program, so that it is told first.
package struct EndInTime: Service {
    private let limit: Duration
    private let logger: Logger
    private let end: @Sendable () -> Void

    /// - Parameter end: by default the process ends, with the status of one that SIGTERM ended.
    package init(
        within limit: Duration, logger: Logger, end: @escaping @Sendable () -> Void = { _exit(128 + SIGTERM) }
    ) {
        self.limit = limit
        self.logger = logger
        self.end = end
    }

    package func run() async throws {
        do { try await gracefulShutdown() } catch { return }
        let (limit, logger, end) = (limit, logger, end)
        // Where it does not come to its end, the program has ended before.
        _ = EngineThread(name: "end in time") {
            Surroundings.system.pause(UInt64(limit / .nanoseconds(1)))
            // By another thread: whoever reads the log may hang as well.
            _ = EngineThread(name: "last words") {
                logger.critical("Ended, since something hangs; what was committed before is untouched")
            }
            Surroundings.system.pause(200_000_000)
            end()
        }
    }
}
