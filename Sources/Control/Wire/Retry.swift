package import Platform

/// When to try again: doubling waits with jitter, so that a site full of agents does not come back in step.
package struct Backoff: Sendable {
    private let first: UInt64
    private let longest: UInt64
    private let random: @Sendable (Int) -> [UInt8]
    private var attempts: UInt64 = 0

    /// Waits in nanoseconds: about `first` after the first failure, never more than `longest`.
    package init(first: UInt64 = 200_000_000, longest: UInt64 = 15_000_000_000, surroundings: Surroundings) {
        self.first = first
        self.longest = longest
        random = surroundings.random
    }

    /// Between half of the doubled wait and the whole of it.
    package mutating func next() -> UInt64 {
        let doubled = first.multipliedReportingOverflow(by: 1 << min(attempts, 30))
        let wait = doubled.overflow ? longest : min(longest, doubled.partialValue)
        attempts += 1
        let draw = random(2).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return wait / 2 + wait / 2 * draw / 65535
    }

    package mutating func reset() { attempts = 0 }
}

/// Calls that may be repeated, repeated while the other side is unreachable.
package struct Retry: Sendable {
    private let surroundings: Surroundings
    private let attempts: Int

    package init(attempts: Int, surroundings: Surroundings) {
        precondition(attempts > 0)
        self.attempts = attempts
        self.surroundings = surroundings
    }

    /// Only `.unreachable` is worth another try; everything else is an answer.
    package func run<T>(_ body: () async throws(Failure) -> T) async throws(Failure) -> T {
        var backoff = Backoff(surroundings: surroundings)
        var left = attempts
        while true {
            do {
                return try await body()
            } catch  where error.code == .unreachable && left > 1 {
                left -= 1
            }
            do {
                try await Task.sleep(nanoseconds: backoff.next())
            } catch {
                throw Failure(.cancelled, "The call was cancelled")
            }
        }
    }

    /// The same on a thread of the engine, which may block.
    package func runBlocking<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T {
        var backoff = Backoff(surroundings: surroundings)
        var left = attempts
        while true {
            do {
                return try body()
            } catch  where error.code == .unreachable && left > 1 {
                left -= 1
            }
            surroundings.pause(backoff.next())
        }
    }
}
