import Catalog
import Logging
import Model
import Orchestration
package import Platform
import ServiceLifecycle

/// Looks at the leases again and again: what ran out goes back to the queue, what has rested is woken.
struct Scheduler: Service {
    let coordinator: Coordinator

    func run() async throws {
        let milliseconds = UInt64(coordinator.settings.tickMilliseconds)
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await coordinator.tick()
                } catch let failure as Failure {
                    if failure.code == .cancelled { return }
                    coordinator.logger.error("The scheduler could not do its round", metadata: ["why": "\(failure)"])
                } catch {
                    coordinator.logger.error("The scheduler could not do its round", metadata: ["why": "\(error)"])
                }
                try? await Task.sleep(nanoseconds: milliseconds * 1_000_000)
            }
        }
    }
}

extension Coordinator {
    /// One round of the scheduler.
    package func tick() async throws(Failure) {
        let now = surroundings.now()
        let due = try await catalog.read { reading in
            try reading.openJobs().filter { job in
                if let lease = job.state.lease { return lease.expires <= now }
                return job.notBefore.map { $0 <= now } ?? false
            }.map(\.id)
        }
        guard !due.isEmpty else { return }
        let topics = try await catalog.writeQuietly { writing in
            try due.flatMap { try Transition.apply(.tick, to: $0, in: writing, now: now, by: .coordinator).topics }
        }
        logger.info("Jobs were looked after", metadata: ["jobs": "\(due.map(\.text).joined(separator: " "))"])
        bell.ring(topics)
    }
}
