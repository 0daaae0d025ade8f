import Model
import Platform
import Synchronization

/// Wakes whoever waits for something to happen to one thing: a site's queue, a job, a run.
///
/// Listen first, look, then wait: what happens after `listen` is never missed. Nothing is remembered for anybody who
/// does not listen, so nothing grows.
final class Bell: Sendable {
    enum Topic: Hashable, Sendable {
        case site(Site.ID)
        case job(Job.ID)
        case run(RecoveryRun.ID)
    }

    private struct State {
        var closed = false
        var next: UInt64 = 0
        var ears: [Topic: [UInt64: AsyncStream<Void>.Continuation]] = [:]
    }
    private let state = Mutex(State())

    func ring(_ topics: some Sequence<Topic>) {
        state.withLock { state in
            for topic in Set(topics) { state.ears[topic]?.values.forEach { $0.yield() } }
        }
    }

    /// Lets everybody go, and from now on whoever comes.
    func close() {
        state.withLock { state in
            state.closed = true
            state.ears.values.forEach { $0.values.forEach { $0.finish() } }
        }
    }

    func listen<T: Sendable>(
        to topic: Topic, _ body: @Sendable (Ear) async throws(Failure) -> T
    ) async throws(Failure) -> T {
        let (rings, ear) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.next += 1
            state.ears[topic, default: [:]][state.next] = ear
            if state.closed { ear.finish() }
            return state.next
        }
        defer {
            state.withLock { state in
                state.ears[topic]?[number] = nil
                if state.ears[topic]?.isEmpty == true { state.ears[topic] = nil }
            }
        }
        return try await body(Ear(rings: rings))
    }

    struct Ear: Sendable {
        fileprivate let rings: AsyncStream<Void>

        /// True when the bell rang, also since the last time; false when nothing happened for so long, when the bell
        /// was closed, and when the task was cancelled.
        func wait(nanoseconds: UInt64) async -> Bool {
            await withTaskGroup(of: Bool.self) { tasks in
                tasks.addTask {
                    for await _ in rings { return true }
                    return false
                }
                tasks.addTask {
                    try? await Task.sleep(nanoseconds: nanoseconds)
                    return false
                }
                let first = await tasks.next() ?? false
                tasks.cancelAll()
                return first
            }
        }
    }
}
