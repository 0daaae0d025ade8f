import Platform

/// Machines under TCG take a processor each: tests that boot one hold the only turn while they do, so that their
/// deadlines mean the same however many tests run at once. For synchronous tests only: waiting blocks a thread, and a
/// holder that is suspended would need one.
package final class MachineTurn: Sendable {
    private static let isTaken = Monitor(false)

    /// Waits for the turn; it ends when the last owner lets go of it.
    package init() { Self.isTaken.access(when: { !$0 }, { $0 = true }) }

    deinit { Self.isTaken.access { $0 = false } }
}
