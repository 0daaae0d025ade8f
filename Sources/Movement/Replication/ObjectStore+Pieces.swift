internal import ObjectStore
internal import Platform

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

extension ObjectStore {
    /// Calls `body` with the number and the bytes of each piece of an object that is `length` bytes long: on several
    /// threads, in no order.
    func forEachPiece(
        of key: StoreKey, length: UInt64, _ body: @Sendable (Int, [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        let size = UInt64(Pieces.bytes)
        do {
            try Workers.each(Array(0..<Int((length + size - 1) / size)), on: Pieces.atOnce) { number in
                let start = UInt64(number) * size
                try body(number, try get(key, range: start..<min(start + size, length)))
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
