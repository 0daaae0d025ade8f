import Chunking
import Testing

@Suite struct BoundaryScannerTests {
    static let key = [UInt8](0..<32)
    static let small = CutParameters(minimum: 256, average: 1024, maximum: 4096)
    let scanner = BoundaryScanner(key: key)

    static func lengths(_ bytes: [UInt8], _ scanner: BoundaryScanner) -> [Int] {
        bytes.withUnsafeBytes { bytes in
            var lengths: [Int] = []
            var at = 0
            while let length = scanner.cut(UnsafeRawBufferPointer(rebasing: bytes[at...]), atEnd: true) {
                lengths.append(length)
                at += length
            }
            return lengths
        }
    }

    /// As above, with at most `portion(n)` more bytes at the n-th hand-over.
    static func lengths(_ bytes: [UInt8], _ scanner: BoundaryScanner, fedBy portion: (Int) -> Int) -> [Int] {
        bytes.withUnsafeBytes { bytes in
            var lengths: [Int] = []
            var at = 0
            var filled = 0
            var turn = 0
            while at < bytes.count {
                let window = UnsafeRawBufferPointer(rebasing: bytes[at..<filled])
                if let length = scanner.cut(window, atEnd: filled == bytes.count) {
                    lengths.append(length)
                    at += length
                } else {
                    filled = min(bytes.count, filled + portion(turn))
                    turn += 1
                }
            }
            return lengths
        }
    }

    static func places(_ lengths: [Int]) -> [Int] {
        var at = 0
        return lengths.map { length in
            at += length
            return at
        }
    }

    @Test(arguments: [0, 1, 63, 64, 65, 32 << 10, 32 << 10 + 1, 128 << 10, 512 << 10, 3_000_000])
    func cutsCoverTheInputAndKeepTheirBounds(count: Int) {
        var noise = Noise(state: UInt64(count))
        for bytes in [noise.bytes(count), [UInt8](repeating: 0, count: count)] {
            let lengths = Self.lengths(bytes, scanner)
            #expect(lengths.reduce(0, +) == count)
            #expect(lengths.allSatisfy { $0 > 0 && $0 <= 512 << 10 })
            #expect(lengths.dropLast().allSatisfy { $0 >= 32 << 10 })
        }
    }

    @Test(arguments: 0..<20)
    func theKernelAgreesWithThePlainestVersion(seed: Int) {
        var noise = Noise(state: UInt64(seed))
        let key = noise.bytes(32)
        // Averages far above the block of the kernel and far below, and bounds that are no powers of two.
        let minimum = Int.random(in: 64...3000, using: &noise)
        let average = minimum + Int.random(in: 0...40_000 >> (seed % 8), using: &noise)
        let parameters = CutParameters(
            minimum: minimum, average: average, maximum: average + Int.random(in: 0...40_000, using: &noise))
        var bytes = noise.bytes(150_000 + seed)
        // Repetitive stretches too.
        for place in 40_000..<60_000 where seed.isMultiple(of: 2) { bytes[place] = UInt8(place % 7) }
        let lengths = Self.lengths(bytes, BoundaryScanner(key: key, parameters: parameters))
        #expect(lengths == ReferenceScanner(key: key, parameters: parameters).lengths(bytes))
    }

    @Test func theCutsAreTheSameHoweverTheInputIsFedIn() {
        var noise = Noise(state: 5)
        let bytes = noise.bytes(100_000)
        let scanner = BoundaryScanner(key: Self.key, parameters: Self.small)
        let whole = Self.lengths(bytes, scanner)
        #expect(whole.count > 20)
        #expect(Self.lengths(bytes, scanner, fedBy: { _ in 1 }) == whole)
        #expect(Self.lengths(bytes, scanner, fedBy: { 1 + $0 * 37 % 911 }) == whole)
        #expect(Self.lengths(bytes, scanner, fedBy: { _ in 5000 }) == whole)
    }

    @Test func afterAnInsertionTheCutsComeTogetherAgain() {
        var noise = Noise(state: 6)
        let bytes = noise.bytes(4 << 20)
        let before = Self.places(Self.lengths(bytes, scanner))
        let inserted = Array(bytes[..<1_000_000] + [1, 2, 3] + bytes[1_000_000...])
        let after = Self.places(Self.lengths(inserted, scanner))
        let untouched = before.filter { $0 <= 1_000_000 }
        #expect(Array(after.prefix(untouched.count)) == untouched)
        let lost = Set(before.filter { $0 > 1_000_000 }).subtracting(after.map { $0 - 3 })
        #expect(lost.count <= 5 && before.count > 20, "\(lost.count) of \(before.count) cuts lost")
    }

    @Test func anotherKeyCutsElsewhere() {
        var noise = Noise(state: 7)
        let bytes = noise.bytes(4 << 20)
        let other = BoundaryScanner(key: [UInt8](1...32))
        let ours = Set(Self.places(Self.lengths(bytes, scanner)).dropLast())
        #expect(ours.isDisjoint(with: Self.places(Self.lengths(bytes, other)).dropLast()))
    }

    @Test func lengthsGatherAroundTheAverage() {
        var noise = Noise(state: 8)
        let scanner = BoundaryScanner(key: Self.key, parameters: Self.small)
        let lengths = Self.lengths(noise.bytes(4 << 20), scanner)
        let mean = (4 << 20) / lengths.count
        #expect((900...1400).contains(mean), "mean \(mean)")
        #expect(lengths.count { $0 == Self.small.maximum } * 100 < lengths.count)
        // Four fifths of the places before the average leave no cut.
        #expect(lengths.count { $0 >= 1024 } * 10 > lengths.count * 7)
    }

    /// The cuts are part of the format: this list changes only with its version.
    @Test func theCutsOfVersionOne() {
        var noise = Noise(state: 1)
        #expect(Self.lengths(noise.bytes(1 << 20), scanner) == [165101, 160664, 229133, 54670, 146135, 131768, 161105])
    }

    @Test(arguments: [
        CutParameters(minimum: 63, average: 1024, maximum: 4096),
        CutParameters(minimum: 2048, average: 1024, maximum: 4096),
        CutParameters(minimum: 256, average: 8192, maximum: 4096),
        CutParameters(minimum: 256, average: 8192, maximum: 2 << 30),
        CutParameters(minimum: .min, average: 8192, maximum: .max),
    ])
    func unsoundParametersAreToldApart(parameters: CutParameters) {
        #expect(!parameters.areSound)
        #expect(CutParameters().areSound)
    }
}
