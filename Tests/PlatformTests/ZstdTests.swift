import Platform
import Testing

@Suite struct ZstdTests {
    let compressor = ZstdCompressor(level: 3)
    let decompressor = ZstdDecompressor()

    func compressed(_ plain: [UInt8]) throws -> [UInt8] {
        var out = [UInt8](repeating: 0, count: ZstdCompressor.bound(plain.count))
        let count = try out.withUnsafeMutableBytes { out in
            try plain.withUnsafeBytes { try compressor.compress($0, into: out) }
        }
        return Array(out.prefix(count))
    }

    func decompressed(_ source: [UInt8], limit: Int) throws -> [UInt8] {
        var out = [UInt8](repeating: 0xee, count: limit + 1)
        let count = try out.withUnsafeMutableBytes { out in
            try source.withUnsafeBytes {
                try decompressor.decompress($0, into: UnsafeMutableRawBufferPointer(rebasing: out[..<limit]))
            }
        }
        #expect(out[limit] == 0xee, "nothing is written past the room given")
        return Array(out.prefix(count))
    }

    /// Compressible, and not: a text that repeats, and a generator's output.
    static func samples(_ count: Int) -> [[UInt8]] {
        var generator = SystemRandomNumberGenerator()
        let text = Array("the quick brown fox jumps over the lazy dog. ".utf8)
        return [
            (0..<count).map { text[$0 % text.count] },
            (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) },
        ]
    }

    @Test(arguments: [0, 1, 300, 65536, 1_000_000])
    func roundTrips(count: Int) throws {
        for plain in Self.samples(count) {
            let small = try compressed(plain)
            #expect(try decompressed(small, limit: count) == plain)
        }
        if count > 1000 { #expect(try compressed(Self.samples(count)[0]).count < count / 10) }
    }

    @Test func moreThanTheRoomGivenIsRefused() throws {
        for plain in Self.samples(10_000) {
            let small = try compressed(plain)
            #expect(throws: Failure(.damaged, "")) { try decompressed(small, limit: 9_999) }
            #expect(throws: Failure(.damaged, "")) { try decompressed(small, limit: 0) }
            #expect(try decompressed(small, limit: 10_000) == plain, "a refusal leaves the context usable")
        }
    }

    @Test func garbageIsRefused() throws {
        #expect(throws: Failure(.damaged, "")) { try decompressed(Array("not a frame at all".utf8), limit: 1000) }
        let small = try compressed(Self.samples(5_000)[0])
        for length in 0..<small.count {
            #expect(throws: Failure(.damaged, "")) { try decompressed(Array(small.prefix(length)), limit: 5_000) }
        }
        #expect(throws: Failure(.damaged, "")) { try decompressed(small + [0], limit: 5_000) }
    }

    @Test func compressingIntoLessRoomThanTheSourceAsksWhetherItPays() throws {
        for (plain, pays) in zip(Self.samples(4096), [true, false]) {
            var out = [UInt8](repeating: 0, count: plain.count - 1)
            let count = out.withUnsafeMutableBytes { out in
                plain.withUnsafeBytes { compressor.compressIfFits($0, into: out) }
            }
            #expect((count != nil) == pays)
        }
    }
}
