import Logging
import Platform
import ServiceLifecycle
import Testing
import Wire

/// Whoever is told to end and hangs is ended.
struct EndInTimeTests {
    private struct Hanging: Service {
        let until: Monitor<Bool>

        func run() async throws {
            try await gracefulShutdown()
            // Deaf to everything.
            while !until.access({ $0 }) { await Task.yield() }
        }
    }

    @Test(.timeLimit(.minutes(1))) func whatHangsIsEnded() async throws {
        let isEnded = Monitor(false)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let group = ServiceGroup(
            services: [
                Hanging(until: isEnded),
                EndInTime(within: .milliseconds(50), logger: logger) { isEnded.access { $0 = true } },
            ], logger: logger)
        async let running: Void = group.run()
        try await Task.sleep(for: .milliseconds(100))
        #expect(!isEnded.access { $0 })
        await group.triggerGracefulShutdown()
        try await running
        #expect(isEnded.access { $0 })
    }
}
