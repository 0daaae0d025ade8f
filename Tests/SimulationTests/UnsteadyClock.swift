import Platform
import Support

extension Surroundings {
    /// As `seeded`, with a wall clock that jumps: by hours or years, forwards and back, and for a program that slept a
    /// month on, which its monotonic clock shows too.
    static func unsteady(_ number: UInt64, hasSlept: @escaping @Sendable () -> Bool) -> Surroundings {
        var own = Surroundings.seeded(number)
        let (now, uptime) = (own.now, own.uptime)
        let jumps = Monitor((seed: Seed(number ^ 0xC10C), offset: Int64(0)))
        let month: Int64 = 30 * 86_400_000_000_000
        own.now = {
            let offset = jumps.access { jumps in
                if jumps.seed.below(16) == 0 {
                    let hours = [0, 1, -1, 30, -30, 9000, -9000][jumps.seed.below(7)]
                    jumps.offset = Int64(hours) * 3_600_000_000_000
                }
                return jumps.offset
            }
            return Timestamp(nanoseconds: now().nanoseconds + offset + (hasSlept() ? month : 0))
        }
        own.uptime = { uptime() + (hasSlept() ? UInt64(month) : 0) }
        return own
    }
}
