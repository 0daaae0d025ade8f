internal import Glibc

/// How long a blocking call may take, fixed when the wait begins: a call that is retried does not start over.
package struct Deadline: Sendable {
    private let end: ContinuousClock.Instant?

    /// Waits for as long as it takes.
    package static let never = Deadline(end: nil)

    package static func after(_ duration: Duration) -> Deadline { Deadline(end: .now + duration) }

    private init(end: ContinuousClock.Instant?) { self.end = end }

    package var hasPassed: Bool { end.map { $0 <= .now } ?? false }

    /// What is left, never negative; nil for ever.
    package var remaining: Duration? { end.map { max(.zero, $0 - .now) } }

    /// For poll(2): rounded up so that nobody spins through the last millisecond; -1 is for ever.
    var pollMilliseconds: Int32 {
        guard let remaining else { return -1 }
        let (seconds, attoseconds) = remaining.components
        return Int32(
            clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue
                + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// Waits until `number` is ready for one of `events` (or broken, which the next call will report).
    /// - Returns: false when the deadline passes first.
    func wait(for number: Int32, _ events: Int32) throws(Failure) -> Bool {
        var entry = pollfd(fd: number, events: Int16(truncatingIfNeeded: events), revents: 0)
        while true {
            let result = unsafe poll(&entry, 1, pollMilliseconds)
            if result > 0 { return true }
            if result == 0 {
                if hasPassed { return false }
            } else if errno != EINTR {
                throw .system(errno, "cannot wait for a descriptor")
            }
        }
    }
}
