import Platform
import Repository
import Sealing

/// Chunks that were read last, up to a number of bytes: programs read a file in pieces far smaller than its chunks.
/// Of several threads that want the same chunk one reads it. Safe to use from several threads.
final class ChunkShelf: Sendable {
    private struct State {
        var kept: [ChunkID: (bytes: [UInt8], used: UInt64)] = [:]
        var size = 0
        var tick: UInt64 = 0
        var underway: Set<ChunkID> = []
    }

    private let budget: Int
    private let state = Monitor(State())

    init(budget: Int) { self.budget = budget }

    /// A chunk's bytes: those that its reference promises, as many as that says.
    /// - Throws: `.damaged` when it cannot be had whole.
    func read(_ chunk: ChunkRef, _ reader: SnapshotReader) throws(Failure) -> [UInt8] {
        let id = chunk.id
        let known = state.access(when: { !$0.underway.contains(id) }) { state -> [UInt8]? in
            state.tick += 1
            if let kept = state.kept[id] {
                state.kept[id]?.used = state.tick
                return kept.bytes
            }
            state.underway.insert(id)
            return nil
        }
        let bytes: [UInt8]
        if let known {
            bytes = known
        } else {
            do throws(Failure) {
                bytes = try reader.read(id)
            } catch {
                state.access { _ = $0.underway.remove(id) }
                throw error
            }
            state.access { keep(bytes, id, &$0) }
        }
        guard UInt64(bytes.count) == chunk.length else {
            throw Failure(.damaged, "a chunk has \(bytes.count) bytes where the snapshot says \(chunk.length)")
        }
        return bytes
    }

    private func keep(_ bytes: [UInt8], _ id: ChunkID, _ state: inout State) {
        state.underway.remove(id)
        state.kept[id] = (bytes, state.tick)
        state.size += bytes.count
        while state.size > budget, state.kept.count > 1,
            let oldest = state.kept.min(by: { $0.value.used < $1.value.used })
        {
            state.size -= oldest.value.bytes.count
            state.kept[oldest.key] = nil
        }
    }
}
