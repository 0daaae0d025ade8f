import Glibc
import Platform
import Testing

/// Rates of one core in CPU time, printed: `BREAKWATER_MEASURE=1 swift test -c release --filter Throughput`.
@Suite(.serialized, .enabled(if: getenv("BREAKWATER_MEASURE") != nil))
struct ThroughputTests {
    let buffer: [UInt8]

    init() {
        var word: UInt64 = 1
        buffer = (0..<1 << 20).map { index in
            // Half noise, half words: compresses about as files do.
            if index / 64 % 2 == 0 { return UInt8(truncatingIfNeeded: index / 3 % 61) }
            word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: word >> 56)
        }
    }

    /// The best of many short runs: what the core can do when nobody else wants it.
    func measure(_ what: String, _ count: Int, _ call: () throws -> Void) rethrows {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
        }
        let repeats = max(1, (1 << 20) / count)
        var best = Double.infinity
        for _ in 0..<40 {
            let start = now()
            for _ in 0..<repeats { try call() }
            best = min(best, (now() - start) / Double(repeats))
        }
        let rate = (Double(count) / best / 1e7).rounded() / 100
        print("\(what), \(count) bytes: \(rate) GB/s, \((best * 1e9).rounded()) ns a call")
    }

    @Test(arguments: [32, 300, 65536, 1 << 20])
    func rates(count: Int) throws {
        let key = HMACKey([1, 2, 3])
        let cipher = AESGCM(key: [UInt8](repeating: 1, count: 32))
        let compressor = ZstdCompressor(level: 3)
        let decompressor = ZstdDecompressor()
        let plain = Array(buffer.prefix(count))
        var out = [UInt8](repeating: 0, count: ZstdCompressor.bound(count) + 16)
        var again = plain
        var sink = Digest.zero
        try plain.withUnsafeBytes { plain in
            try out.withUnsafeMutableBytes { out in
                try again.withUnsafeMutableBytes { again in
                    measure("sha256", count) { sink = SHA256.hash(plain) }
                    measure("hmac", count) { sink = key.authenticate(plain) }
                    let sealed = UnsafeMutableRawBufferPointer(rebasing: out[..<(count + 16)])
                    measure("gcm seal", count) { cipher.seal(plain, nonce: 1, associated: [1], into: sealed) }
                    try measure("gcm open", count) {
                        try cipher.open(UnsafeRawBufferPointer(sealed), nonce: 1, associated: [1], into: again)
                    }
                    var length = 0
                    try measure("zstd 3", count) { length = try compressor.compress(plain, into: out) }
                    print("  to \(length)")
                    try measure("unzstd", count) {
                        _ = try decompressor.decompress(UnsafeRawBufferPointer(rebasing: out[..<length]), into: again)
                    }
                }
            }
        }
        #expect(again == plain && sink != .zero)
    }

    @Test func gearHash() {
        let hash = GearHash(table: (0..<256).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 })
        buffer.withUnsafeBytes { bytes in
            measure("gear hash", bytes.count) { _ = hash.firstBoundary(in: bytes, 64..<bytes.count, below: 0) }
        }
    }
}
