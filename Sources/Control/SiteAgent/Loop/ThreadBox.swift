import Platform
import Synchronization

/// A thread that is started in one place and joined in another.
final class ThreadBox: Sendable {
    private let thread = Mutex<EngineThread?>(nil)

    func start(name: String, _ body: @escaping @Sendable () -> Void) {
        thread.withLock { $0 = EngineThread(name: name, body) }
    }

    func join() {
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }
}
