/// Threads that take pieces of work from a bounded queue. Whoever submits waits when the queue is full, so a fast
/// stage never runs ahead of a slow one by more than `depth` pieces.
package final class WorkerPool: Sendable {
    package typealias Work = @Sendable (Worker) -> Void

    private struct State {
        /// At most `depth` pieces. An array, not a slice: what is taken out must not live on in the storage, since a piece
        /// of work may hold the owner of this pool, which then would never go.
        var queue: [Work] = []
        var unfinished = 0
        var ended = false

        mutating func takeFirst() -> Work? { queue.isEmpty ? nil : queue.removeFirst() }
    }

    private let monitor = Monitor(State())
    private let depth: Int
    private let threads: [EngineThread]

    /// `depth` pieces may wait besides those being worked on.
    package init(workers: Int, depth: Int, name: String) {
        precondition(workers > 0 && depth > 0)
        self.depth = depth
        threads = (0..<workers).map { [monitor] index in
            EngineThread(name: "\(name)-\(index)") { Self.serve(Worker(index: index), monitor) }
        }
    }

    deinit {
        monitor.access { $0.ended = true }
        // The last reference may be let go of by a piece of work, on one of these very threads.
        for thread in threads { thread.joinUnlessCurrent() }
    }

    /// Hands over a piece of work. It takes its errors where they are wanted itself.
    package func submit(_ work: @escaping Work) {
        monitor.access(when: { $0.queue.count < self.depth }) { state in
            state.queue.append(work)
            state.unfinished += 1
        }
    }

    /// Waits until all work submitted so far is done; the pool can then be used again.
    package func finish() {
        monitor.access(when: { $0.unfinished == 0 }) { _ in }
    }

    private static func serve(_ worker: Worker, _ monitor: Monitor<State>) {
        while let work = monitor.access(when: { !$0.queue.isEmpty || $0.ended }, { $0.takeFirst() }) {
            work(worker)
            monitor.access { $0.unfinished -= 1 }
        }
    }
}
