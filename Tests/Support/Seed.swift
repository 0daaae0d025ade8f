package import Platform
import Synchronization

/// Randomness that a number reproduces: xoshiro256**, seeded by splitmix64 (Blackman and Vigna, 2018).
package struct Seed: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init(_ number: UInt64) {
        var at = number
        func next() -> UInt64 {
            at &+= 0x9e37_79b9_7f4a_7c15
            var mixed = at
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
        state = (next(), next(), next(), next())
    }

    package mutating func next() -> UInt64 {
        func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value << by | value >> (64 - by) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// Bytes that do not compress.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var at = 0
            while at < count {
                var word = next()
                for _ in 0..<min(8, count - at) {
                    buffer[at] = UInt8(truncatingIfNeeded: word)
                    word >>= 8
                    at += 1
                }
            }
            filled = count
        }
    }

    /// Bytes that compress about four to one, as text does.
    package mutating func text(_ count: Int) -> [UInt8] {
        let words = (0..<64).map { _ in Array(Hex.encode(bytes(2 + below(4))).utf8) + [UInt8(ascii: " ")] }
        var out: [UInt8] = []
        out.reserveCapacity(count + 16)
        while out.count < count { out += words[below(words.count)] }
        return Array(out.prefix(count))
    }
}

extension Surroundings {
    /// Surroundings of a test: time that moves only when asked or waited for, and randomness out of `seed`.
    package static func seeded(_ seed: UInt64, start: Timestamp = Timestamp(seconds: 1_800_000_000)) -> Surroundings {
        let world = World(seed, start)
        return Surroundings(
            now: { Timestamp(nanoseconds: world.start.nanoseconds + Int64(world.tick())) },
            uptime: { world.tick() },
            random: { count in world.seed.withLock { $0.bytes(count) } },
            pause: { nanoseconds in world.elapsed.withLock { $0 += nanoseconds } })
    }

    private final class World: Sendable {
        let start: Timestamp
        let seed: Mutex<Seed>
        let elapsed = Mutex<UInt64>(0)
        init(_ seed: UInt64, _ start: Timestamp) {
            self.seed = Mutex(Seed(seed))
            self.start = start
        }

        /// Every look at a clock finds it a microsecond on, so that no two times are equal.
        func tick() -> UInt64 {
            elapsed.withLock {
                $0 += 1000
                return $0
            }
        }
    }
}
