internal import CDigestPair

extension SHA256 {
    /// The digests of messages that are all at hand, in their order: two at a time where the processor can: 1.58 GB/s
    /// here, and 1.37 one after the other.
    /// - Parameter prefix: a byte that stands before each.
    package static func hashes(of pieces: [UnsafeRawBufferPointer], after prefix: UInt8? = nil) -> [Digest] {
        guard inPairs else { return unsafe pieces.map { unsafe one($0, after: prefix) } }
        let messages = unsafe pieces.map { unsafe digest_piece(bytes: $0.baseAddress, count: $0.count) }
        return unsafe withUnsafeTemporaryAllocation(of: digest_pair_result.self, capacity: pieces.count) { results in
            unsafe digest_pairs(messages, messages.count, prefix.map(Int32.init) ?? -1, results.baseAddress)
            return unsafe results.map { Digest(words: $0.words) }
        }
    }

    /// The digests of parts of `bytes`, in their order.
    package static func hashes(of parts: [Range<Int>], in bytes: [UInt8]) -> [Digest] {
        unsafe bytes.withUnsafeBytes { whole in
            unsafe hashes(of: parts.map { unsafe UnsafeRawBufferPointer(rebasing: whole[$0]) })
        }
    }

    private static let inPairs = digest_pairs_work()

    private static func one(_ piece: UnsafeRawBufferPointer, after prefix: UInt8?) -> Digest {
        guard let prefix else { return unsafe hash(piece) }
        var stream = SHA256Stream()
        stream.update([prefix])
        unsafe stream.update(piece)
        return stream.finish()
    }
}
