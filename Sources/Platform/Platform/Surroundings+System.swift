internal import Glibc

extension Surroundings {
    /// The machine's own clock and randomness, for programs.
    package static var system: Surroundings {
        Surroundings(
            now: { Timestamp(nanoseconds: Int64(clamping: nanoseconds(of: CLOCK_REALTIME))) },
            uptime: { UInt64(clamping: nanoseconds(of: CLOCK_MONOTONIC)) },
            random: randomBytes,
            pause: sleep)
    }

    private static func nanoseconds(of clock: clockid_t) -> Int {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// From the kernel, which gives at most 256 bytes a call.
    @Sendable private static func randomBytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let length = min(256, count - filled)
                let result = unsafe getentropy((buffer.baseAddress.unsafelyUnwrapped) + filled, length)
                precondition(result == 0, "the kernel gave no randomness")
                filled += length
            }
        }
    }

    @Sendable private static func sleep(_ nanoseconds: UInt64) {
        var left = timespec(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        var rest = timespec()
        while unsafe nanosleep(&left, &rest) != 0 && errno == EINTR { left = rest }
    }
}
