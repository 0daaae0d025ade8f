import BlockServer
import Glibc
import Platform
import Synchronization

/// A disk whose every 8 bytes say where they are, with a hole in it, that counts what is asked of it, can fail, and
/// can hold readers back until a test lets them go.
final class PatternSource: BlockSource {
    let size: UInt64
    let hole: Range<UInt64>
    private let state = Monitor(State())

    private struct State {
        var reads: [Range<UInt64>] = []
        var failing: Set<UInt64> = []
        var isHeld = false
    }

    init(size: UInt64, hole: Range<UInt64> = 0..<0) {
        self.size = size
        self.hole = hole
    }

    var reads: [Range<UInt64>] { state.access { $0.reads } }
    /// Every read that covers one of these bytes fails.
    func fail(at places: Set<UInt64>) { state.access { $0.failing = places } }
    func hold(_ isHeld: Bool) { state.access { $0.isHeld = isHeld } }
    /// Returns once so many reads have begun.
    func waitForReads(_ count: Int) { state.access(when: { $0.reads.count >= count }, { _ in }) }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        let range = offset..<offset + UInt64(target.count)
        let failing = state.access { state in
            state.reads.append(range)
            return state.failing
        }
        state.access(when: { !$0.isHeld }, { _ in })
        if failing.contains(where: range.contains) { throw Failure(.damaged, "the pattern is broken") }
        for index in 0..<target.count { target[index] = Self.byte(at: offset + UInt64(index), hole) }
    }

    func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent] {
        var extents: [BlockExtent] = []
        extents.extend(by: UInt64(range.clamped(to: 0..<hole.lowerBound).count), isHole: false)
        extents.extend(by: UInt64(range.clamped(to: hole).count), isHole: true)
        extents.extend(by: UInt64(range.clamped(to: hole.upperBound..<max(size, hole.upperBound)).count), isHole: false)
        return extents
    }

    static func byte(at place: UInt64, _ hole: Range<UInt64>) -> UInt8 {
        hole.contains(place) ? 0 : UInt8(truncatingIfNeeded: (place >> 3) >> ((place & 7) * 8)) &+ 1
    }

    func expected(_ range: Range<UInt64>) -> [UInt8] { range.map { Self.byte(at: $0, hole) } }
}

extension BlockSource {
    func bytes(_ range: Range<UInt64>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: range.count)
        try bytes.withUnsafeMutableBytes { try read(at: range.lowerBound, into: $0) }
        return bytes
    }
}
