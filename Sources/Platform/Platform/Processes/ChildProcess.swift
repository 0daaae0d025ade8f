internal import CLinux
internal import Glibc
internal import Synchronization

/// A program that we started and that cannot outlive us: the kernel kills it when this process ends, however it ends.
/// It is signalled by its id only while it is unreaped, so that no signal ever reaches a stranger. When the last owner
/// lets go of a running child, it is killed.
package final class ChildProcess: Sendable {
    /// How a child ended.
    package enum Exit: Sendable, Equatable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        package var description: String {
            switch self {
            case .code(let code): "exit code \(code)"
            case .signal(let number): "signal \(number)"
            }
        }
    }

    package let identifier: Int32
    package let program: String
    /// Readable once the child has ended.
    private let handle: Int32
    private let ending = Mutex<Exit?>(nil)

    /// - Throws: `.notFound` when there is no such program, `.refused` when it may not be run; nothing runs then.
    package static func start(_ launch: ProcessLaunch) throws(Failure) -> ChildProcess {
        let identifier = try Spawner.shared.spawn(launch)
        let handle = linux_open_child(identifier)
        if handle < 0 {
            _ = Glibc.kill(identifier, SIGKILL)
            throw .system(-handle, "cannot watch \(launch.program)")
        }
        return ChildProcess(identifier: identifier, program: launch.program, handle: handle)
    }

    private init(identifier: Int32, program: String, handle: Int32) {
        self.identifier = identifier
        self.program = program
        self.handle = handle
    }

    deinit {
        kill()
        _ = try? wait(until: .after(.seconds(10)))
        _ = Glibc.close(handle)
    }

    /// Nil while it runs.
    package var exit: Exit? { reap() }

    /// Waits for its end; nil when the deadline passes first.
    package func wait(until deadline: Deadline) throws(Failure) -> Exit? {
        if let exit = reap() { return exit }
        guard try deadline.wait(for: handle, POLLIN) else { return nil }
        return reap()
    }

    /// Asks it to end.
    package func terminate() { signal(SIGTERM) }

    /// Ends it.
    package func kill() { signal(SIGKILL) }

    private func signal(_ number: Int32) {
        ending.withLock { ending in
            if ending == nil { _ = Glibc.kill(identifier, number) }
        }
    }

    private func reap() -> Exit? {
        ending.withLock { ending in
            if let ending { return ending }
            var status: Int32 = 0
            switch unsafe linux_reap_child(identifier, &status) {
            case 0: return nil
            // The layout of a wait status, as the macros of wait(2) read it.
            case 1: ending = status & 0x7f == 0 ? .code(status >> 8 & 0xff) : .signal(status & 0x7f)
            // Somebody else reaped it: it is over, how is lost.
            default: ending = .code(255)
            }
            return ending
        }
    }
}
