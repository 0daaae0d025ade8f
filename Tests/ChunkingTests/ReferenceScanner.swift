import Chunking
import Platform

/// The rule of `BoundaryScanner`, written down once more in the plainest way: the yardstick for the kernel.
struct ReferenceScanner {
    let table: [UInt64]
    let parameters: CutParameters

    init(key: [UInt8], parameters: CutParameters) {
        let bytes = HKDF.derive(key: key, salt: [], info: Array("breakwater gear table 1".utf8), count: 2048)
        table = (0..<256).map { index in
            bytes[8 * index..<8 * index + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        self.parameters = parameters
    }

    func firstCut(_ bytes: ArraySlice<UInt8>) -> Int {
        let start = bytes.startIndex
        let average = UInt64(parameters.average)
        for length in 0..<min(bytes.count, parameters.maximum) where length >= parameters.minimum {
            var hash: UInt64 = 0
            for byte in bytes[start + length - 64..<start + length] { hash = hash &* 2 &+ table[Int(byte)] }
            let threshold = length < parameters.average ? UInt64.max / (4 * average) + 1 : UInt64.max / average * 4 + 4
            if hash < threshold { return length }
        }
        return min(bytes.count, parameters.maximum)
    }

    func lengths(_ bytes: [UInt8]) -> [Int] {
        var rest = bytes[...]
        var lengths: [Int] = []
        while !rest.isEmpty {
            lengths.append(firstCut(rest))
            rest = rest.dropFirst(lengths[lengths.count - 1])
        }
        return lengths
    }
}
