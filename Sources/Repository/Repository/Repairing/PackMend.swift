internal import ObjectStore
internal import Platform
internal import Sealing

/// Puts a pack together again from what is whole of it here and the blocks that are not from other vaults, with no key.
///
/// 1. The leaves, from whichever copy has those of the root: they say of every block of 64 KiB what it must be.
/// 2. Blocks from the copies here. 3. Blocks that are still lacking from other vaults, each held to its leaf.
struct PackMend {
    struct Mended {
        var bytes: [UInt8]
        /// Blocks that came from other vaults, and all there are.
        var fetched: Int
        var blocks: Int
        var from: [String]
    }

    private struct Source {
        var store: any ObjectStore
        var name: ObjectName
        var isHere: Bool
    }

    private let root: Digest
    private let length: UInt64
    private let sources: [Source]
    /// Bytes that were asked of other vaults.
    private(set) var bytesFetched: UInt64 = 0

    /// Blocks that are asked for at once.
    private static let run = 64

    init(_ repository: Repository, _ root: Digest, length: UInt64) {
        self.root = root
        self.length = length
        var sources: [Source] = []
        for (place, vault) in ([repository] + repository.alternates).enumerated() {
            for name in vault.log.state.names(of: .pack, root) {
                sources.append(Source(store: vault.store, name: name, isHere: place == 0))
            }
        }
        self.sources = sources
    }

    /// - Throws: `.notFound` with what is lacking when no vault at hand has it.
    mutating func run() throws(Failure) -> Mended {
        guard length <= ObjectKind.pack.largest, let body = PackLayout.bodyLength(of: length) else {
            throw Failure(.notFound, "the log says it has \(length) bytes, which no pack can have")
        }
        guard let leaves = try leaves(body) else {
            throw Failure(.notFound, "no vault at hand has it, nor its hash tree")
        }
        var mended = Mended(bytes: [], fetched: 0, blocks: leaves.count, from: [])
        mended.bytes = [UInt8](repeating: 0, count: Int(body))
        var lacking = Array(leaves.indices)
        for source in sources where !lacking.isEmpty {
            let before = lacking.count
            lacking = try take(lacking, from: source, leaves, body, &mended.bytes)
            guard !source.isHere, lacking.count < before else { continue }
            mended.fetched += before - lacking.count
            mended.from.append(source.store.location)
        }
        guard lacking.isEmpty else {
            throw Failure(
                .notFound,
                "\(lacking.count) of its \(leaves.count.counted("block", "blocks")) cannot be had from any vault at hand"
            )
        }
        for leaf in leaves { leaf.append(to: &mended.bytes) }
        return mended
    }

    private mutating func leaves(_ body: UInt64) throws(Failure) -> [Digest]? {
        for source in sources {
            guard let tail = try get(source, body..<length),
                let leaves = PackCheck.leaves(tail, of: root, length: length)
            else { continue }
            return leaves
        }
        return nil
    }

    /// Copies the blocks that are what their leaves say, and returns those that are not.
    private mutating func take(
        _ lacking: [Int], from source: Source, _ leaves: [Digest], _ body: UInt64, _ bytes: inout [UInt8]
    ) throws(Failure) -> [Int] {
        var still: [Int] = []
        var start = 0
        while start < lacking.count {
            var end = start + 1
            while end < lacking.count, end - start < Self.run, lacking[end] == lacking[end - 1] + 1 { end += 1 }
            let wanted = lacking[start]..<lacking[end - 1] + 1
            if !(try take(wanted, from: source, leaves, body, &bytes, &still)) {
                // Where it ends early or cannot be read, block by block.
                for block in wanted where !(try take(block..<block + 1, from: source, leaves, body, &bytes, &still)) {
                    still.append(block)
                }
            }
            start = end
        }
        return still
    }

    /// False when the store gave nothing.
    private mutating func take(
        _ blocks: Range<Int>, from source: Source, _ leaves: [Digest], _ body: UInt64, _ bytes: inout [UInt8],
        _ still: inout [Int]
    ) throws(Failure) -> Bool {
        let start = blocks.lowerBound * HashTree.blockSize
        let end = min(blocks.upperBound * HashTree.blockSize, Int(body))
        guard let piece = try get(source, UInt64(start)..<UInt64(end)), piece.count == end - start else { return false }
        let wrong = PackCheck.compare(piece, from: blocks.lowerBound, leaves)
        for block in blocks where !wrong.contains(block) {
            let from = block * HashTree.blockSize
            let to = min(from + HashTree.blockSize, end)
            bytes.replaceSubrange(from..<to, with: piece[from - start..<to - start])
        }
        still += wrong
        return true
    }

    /// Nil for what one copy cannot give.
    private mutating func get(_ source: Source, _ range: Range<UInt64>) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            let bytes = try source.store.get(try source.name.key(), range: range)
            if !source.isHere { bytesFetched += UInt64(bytes.count) }
            return bytes
        } catch {
            guard error.isOfOneObject else { throw error }
            return nil
        }
    }
}
