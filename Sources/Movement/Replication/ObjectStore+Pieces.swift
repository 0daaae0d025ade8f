internal import ObjectStore
package import Platform

/// Objects are read in pieces, several at a time.
///
/// Where a line loses packets, TCP slows down each connection for what that one lost: several of them get several times as
/// much, whatever the server at the other end makes of a loss.
enum Pieces {
    static let bytes = 512 << 10
    static let atOnce = 10

    /// What each piece of an object must be.
    static func digests(of object: [UInt8]) -> [Digest] {
        unsafe object.withUnsafeBytes { object in
            stride(from: 0, to: object.count, by: bytes).map { start in
                let end = min(start + bytes, object.count)
                return unsafe SHA256.hash(UnsafeRawBufferPointer(rebasing: object[start..<end]))
            }
        }
    }
}

/// How many pieces are asked for at a time while other packs are being sent: as many as the line brings without their
/// waiting for each other.
///
/// What is read back would fill the queue of the line's other direction, in which the acknowledgements of what is sent wait
/// as well. So one piece more is asked for while they come in less than three times what the quickest took, and one less
/// otherwise: a queue of two times the shortest way. On a line that loses packets of itself time says nothing of
/// queues, and as many as may are asked for.
package struct ReadingWindow: Sendable {
    private struct State {
        var underWay = 0
        var width = ReadingWindow.least
        var quickest = UInt64.max
    }

    package static let least = 3
    package static let most = 4 * Pieces.atOnce
    private let state = Monitor(State())
    private let surroundings: Surroundings

    package init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    /// How many may be under way now.
    package var width: Int { state.access { $0.width } }

    /// Waits for its turn, then runs `body`, which reads one piece.
    package func read(isLossy: Bool, _ body: () throws(Failure) -> [UInt8]) throws(Failure) -> [UInt8] {
        state.access(when: { $0.underWay < (isLossy ? Self.most : $0.width) }) { $0.underWay += 1 }
        let begun = surroundings.uptime()
        defer {
            let took = surroundings.uptime() &- begun
            state.access { state in
                state.underWay -= 1
                state.quickest = min(state.quickest, took)
                let isQuick = took / 3 < state.quickest
                state.width = isQuick ? min(state.width + 1, Self.most) : max(state.width - 1, Self.least)
            }
        }
        return try body()
    }
}

extension ObjectStore {
    /// Calls `body` with the number and the bytes of each piece of an object that is `length` bytes long: on several
    /// threads, in no order.
    func forEachPiece(
        of key: StoreKey, length: UInt64, within window: ReadingWindow? = nil,
        _ body: @Sendable (Int, [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        let size = UInt64(Pieces.bytes)
        do {
            try Workers.each(Array(0..<Int((length + size - 1) / size)), on: Pieces.atOnce) { number in
                let start = UInt64(number) * size
                let range = start..<min(start + size, length)
                let piece = try window?.read(isLossy: isLineLossy) { () throws(Failure) in try get(key, range: range) }
                try body(number, try piece ?? get(key, range: range))
            }
        } catch let failure as Failure { throw failure } catch { throw Failure(.failed, "\(error)") }
    }

    /// The whole of an object that is `length` bytes long.
    func getInPieces(_ key: StoreKey, length: UInt64) throws(Failure) -> [UInt8] {
        let whole = Monitor([UInt8](repeating: 0, count: Int(length)))
        try forEachPiece(of: key, length: length) { number, piece in
            let start = number * Pieces.bytes
            whole.access { $0.replaceSubrange(start..<start + piece.count, with: piece) }
        }
        return whole.access { $0 }
    }
}
