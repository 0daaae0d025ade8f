/// Time, randomness and ids, handed in rather than fetched: programs pass the real ones, tests and the simulation
/// pass their own, and one seed reproduces a run.
package struct Surroundings: Sendable {
    /// Wall-clock time, for people; no rule of the repository trusts it.
    package var now: @Sendable () -> Timestamp
    /// Monotonic nanoseconds, for durations and deadlines.
    package var uptime: @Sendable () -> UInt64
    /// Fills with bytes from a cryptographic source (a seeded one in tests).
    package var random: @Sendable (_ count: Int) -> [UInt8]
    /// Waits this many nanoseconds; a virtual clock returns at once.
    package var pause: @Sendable (_ nanoseconds: UInt64) -> Void

    package init(
        now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> UInt64,
        random: @escaping @Sendable (Int) -> [UInt8], pause: @escaping @Sendable (UInt64) -> Void
    ) {
        self.now = now
        self.uptime = uptime
        self.random = random
        self.pause = pause
    }
}

/// A point in wall-clock time: nanoseconds since 1970-01-01T00:00:00Z, covering the years 1678 to 2262.
package struct Timestamp: Hashable, Comparable, Sendable, Codable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package init(seconds: Int64) { nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue }
    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }
}
