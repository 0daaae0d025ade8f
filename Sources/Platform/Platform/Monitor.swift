internal import Glibc

/// State behind a lock, with waiting for it to become as one needs it: the one way threads of the engine meet.
/// Everybody waiting looks again after each access, so nobody has to remember to wake anybody.
@safe package final class Monitor<State>: @unchecked Sendable {
    // Unchecked: `state` is touched only while `mutex` is held.
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    package init(_ state: sending State) {
        self.state = state
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Waits until `ready` holds (at once when there is no condition), then runs `body`, alone.
    package func access<Result, Problem>(
        when ready: (State) -> Bool = { _ in true }, _ body: (inout State) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        unsafe pthread_mutex_lock(mutex)
        while !ready(state) { unsafe pthread_cond_wait(changed, mutex) }
        defer {
            unsafe pthread_cond_broadcast(changed)
            unsafe pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }
}
