import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A pack counts once it was read back from the store and opened to what went into it.
struct PackWriterTests {
    private let surroundings = Surroundings.seeded(140)
    private let store = StrictStore()

    private func write(_ bytes: [UInt8], as content: [UInt8]) throws -> [PackWriter.Finished] {
        let repository = try KeyBundle.make(surroundings: surroundings).repository
        let secret = WriterSecret(surroundings.random(32), repository: repository)
        let session = SessionID.random(surroundings)
        let writer = PackWriter(
            store: store, session: session,
            key: SessionKey(session: session, repository: repository, dataKey: surroundings.random(32)),
            secret: secret, limits: PackWriter.Limits(), level: 3, workers: 1, surroundings: surroundings)
        let hash = content.withUnsafeBytes { SHA256.hash($0) }
        let chunk = ChunkRef(id: secret.chunkID(contentHash: hash), length: UInt64(bytes.count))
        try writer.submit(.init(kind: .data, bytes: bytes, chunks: [chunk]))
        return try writer.finish()
    }

    /// A stolen writer can sign chunks so long that their sum is no number.
    @Test func chunksLongerThanAFrameAreNotPossible() throws {
        for (lengths, isPossible) in [
            ([8 << 20], true), ([1, 8 << 20], false), ([1 << 62, 1 << 62, 1 << 62, 1 << 62], false),
        ]
            as [([UInt64], Bool)]
        {
            let bytes = CanonicalEncoder.bytes {
                $0.list([lengths]) { frame, lengths in
                    frame.number(100)
                    frame.byte(ChunkKind.data.rawValue)
                    frame.list(lengths.map { ChunkRef(id: .hole, length: $0) }) { $1.encode(to: &$0) }
                }
            }
            #expect(try PackTable(bytes, name: "a pack").frames.map(\.isPossible) == [isPossible], "\(lengths)")
        }
    }

    @Test func whatOpensToItsIdsCounts() throws {
        let bytes = surroundings.random(300_000)
        let finished = try write(bytes, as: bytes)
        #expect(finished.count == 1 && finished.first?.table.frames.count == 1)
    }

    /// As if a bit had turned in memory after the chunk was named: the store keeps the pack as it was sealed.
    @Test func whatOpensToSomethingElseDoesNot() throws {
        let bytes = surroundings.random(300_000)
        var turned = bytes
        turned[123_456] ^= 1
        #expect(throws: Failure(.damaged, "")) { try write(turned, as: bytes) }
        #expect(store.keys.filter { $0.hasPrefix("packs/") }.count == 1)
    }
}
