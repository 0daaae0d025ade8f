internal import CLinux
internal import Glibc

/// A thread of the engine's own, kept away from Swift's cooperative pool because it blocks on disks and locks.
package final class EngineThread: @unchecked Sendable {
    // Unchecked: `handle` is written once, in `init`, and joined once, by the owner.
    private var handle = pthread_t()
    private let body: @Sendable () -> Void
    private let name: String

    /// Directories are walked by recursion, as deep as a hostile tree goes before it is refused; what the shell allows the
    /// first thread, or 2 MiB where it allows everything, is none of our business then.
    private static let stackSize = 16 << 20

    /// Starts at once. Linux shows the first 15 bytes of `name`. Must be joined.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        self.body = body
        self.name = String(name.prefix(15))
        let result = unsafe linux_start_thread(
            &handle, Self.stackSize,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let thread = unsafe Unmanaged<EngineThread>.fromOpaque(argument).takeRetainedValue()
                unsafe linux_name_thread(thread.name)
                thread.body()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(result == 0, "the system gave no thread")
    }

    /// Waits for its end; a thread that asks this of itself is let go of instead.
    func joinUnlessCurrent() {
        if pthread_equal(handle, pthread_self()) != 0 { pthread_detach(handle) } else { join() }
    }

    /// Waits for its end.
    package func join() {
        let result = pthread_join(handle, nil)
        precondition(result == 0, "a thread is joined once")
    }
}
