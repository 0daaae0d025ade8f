package import Model
package import Platform
import Synchronization

/// What the thread that does a piece of work and the loop that answers for it tell each other: how far it is, and
/// whether it is to stop.
package final class WorkContext: Sendable {
    package enum Stop: Sendable {
        /// Somebody cancelled the job.
        case cancelled
        /// The lease belongs to somebody else.
        case lost
        /// The agent ends; the job goes back to the queue.
        case shutdown
    }

    private struct State {
        var term: UInt64
        var progress = JobProgress(stage: .preparing)
        var stop: Stop?
    }

    package let assignment: Assignment
    private let state: Mutex<State>
    private let heard: (@Sendable (JobProgress) -> Void)?

    /// - Parameter heard: called with all progress, by the thread that makes it.
    package init(_ assignment: Assignment, heard: (@Sendable (JobProgress) -> Void)? = nil) {
        self.assignment = assignment
        self.heard = heard
        state = Mutex(State(term: assignment.term))
    }

    /// The term under which the work is reported now.
    package var term: UInt64 { state.withLock { $0.term } }

    /// A newer lease of the same job: the work goes on under it.
    func adopt(_ term: UInt64) { state.withLock { $0.term = max($0.term, term) } }

    package var progress: JobProgress { state.withLock { $0.progress } }

    package func tell(_ progress: JobProgress) {
        state.withLock { $0.progress = progress }
        heard?(progress)
    }

    package var stop: Stop? { state.withLock { $0.stop } }

    /// The first reason counts.
    package func askToStop(_ reason: Stop) { state.withLock { $0.stop = $0.stop ?? reason } }

    /// Called by the work wherever it can stop cleanly.
    /// - Throws: `.cancelled` once it was asked to.
    package func goOn() throws(Failure) {
        switch stop {
        case nil: return
        case .cancelled: throw Failure(.cancelled, "The job was cancelled")
        case .lost: throw Failure(.cancelled, "The lease of the job was lost")
        case .shutdown: throw Failure(.cancelled, "The agent was told to end")
        }
    }
}
