internal import ObjectStore
internal import Platform
internal import Sealing

/// The check of one pack, in one pass and a window of a few MiB.
///
/// 1. Length, and the leaves at its end against the root in its name.
/// 2. With the session's key: commitment, table, whether the frames make up the body.
/// 3. Blocks against the leaves: the first and the last, or all of them; and then, with the key, every frame opened
///    and every chunk's id recomputed.
struct PackCheck {
    private let store: any ObjectStore
    private let name: ObjectName
    private let length: UInt64?
    private let readData: Bool
    private let secret: WriterSecret?
    private let session: @Sendable (SessionID) -> SessionKey?

    /// A whole number of blocks.
    private static let window = 4 << 20

    init(
        _ store: any ObjectStore, _ name: ObjectName, length: UInt64?, readData: Bool, secret: WriterSecret? = nil,
        session: @escaping @Sendable (SessionID) -> SessionKey? = { _ in nil }
    ) {
        self.store = store
        self.name = name
        self.length = length
        self.readData = readData
        self.secret = secret
        self.session = session
    }

    /// - Returns: the pack's own table, when there is a key for it.
    /// - Throws: `CheckTrouble`; a store's `Failure`.
    func run(_ read: (Int) -> Void) throws -> PackTable? {
        let key = try name.key()
        guard let actual = try store.length(of: key) else { throw CheckTrouble(.missing, "it is not there") }
        if let length, actual != length {
            throw CheckTrouble(.length, "it has \(actual) bytes where the log says \(length)")
        }
        guard actual <= ObjectKind.pack.largest, let body = PackLayout.bodyLength(of: actual) else {
            throw CheckTrouble(.altered, "it has \(actual) bytes, which no pack can have")
        }
        let footerStart = body - UInt64(PackLayout.footerByteCount)
        let tail = try store.get(key, range: footerStart..<actual)
        read(tail.count)
        guard let leaves = Self.leaves(Array(tail[PackLayout.footerByteCount...]), of: name.digest, length: actual)
        else { throw CheckTrouble(.altered, "its hash tree is not the one its name promises") }
        let opened = try open(key, Array(tail.prefix(PackLayout.footerByteCount)), footerStart, read)
        var frames = try opened.sealed.map { try FrameScan(name, $0.table, $0.keys, secret) }
        var wrong: [Int] = []
        if readData {
            for start in stride(from: UInt64(0), to: body, by: Self.window) {
                let piece = try store.get(key, range: start..<min(start + UInt64(Self.window), body))
                read(piece.count)
                wrong += Self.compare(piece, from: Int(start) / HashTree.blockSize, leaves)
                if wrong.isEmpty { try frames?.take(piece) }
            }
        } else {
            for block in Set([0, leaves.count - 1]).sorted() {
                let start = UInt64(block * HashTree.blockSize)
                let piece = try store.get(key, range: start..<min(start + UInt64(HashTree.blockSize), body))
                read(piece.count)
                wrong += Self.compare(piece, from: block, leaves)
            }
        }
        if let first = wrong.first {
            let which =
                wrong.count == 1
                ? "block \(first) of \(leaves.count) is not as it was"
                : "\(wrong.count) blocks of \(leaves.count), the first \(first), are not as they were"
            throw CheckTrouble(.altered, "\(which) written")
        }
        if let trouble = opened.trouble ?? frames?.trouble { throw trouble }
        return opened.sealed?.table
    }

    /// The leaves that end a pack; nil unless they are those of that root and length.
    static func leaves(_ bytes: [UInt8], of root: Digest, length: UInt64) -> [Digest]? {
        let leaves = stride(from: 0, to: bytes.count, by: Digest.byteCount).compactMap {
            Digest(bytes[$0..<min($0 + Digest.byteCount, bytes.count)])
        }
        return PackLayout.root(length: length, leaves: leaves) == root ? leaves : nil
    }

    /// Numbers of the blocks in `piece` that are not what their leaves say.
    static func compare(_ piece: [UInt8], from first: Int, _ leaves: [Digest]) -> [Int] {
        let actual = unsafe piece.withUnsafeBytes { unsafe HashTree.leaves(of: $0) }
        return actual.enumerated().filter { leaves[first + $0.offset] != $0.element }.map { first + $0.offset }
    }

    private struct Opened {
        var sealed: (table: PackTable, keys: PackKeys)?
        /// What is wrong with it, should every block turn out to be as it was written.
        var trouble: CheckTrouble?
    }

    private func open(
        _ key: StoreKey, _ footer: [UInt8], _ footerStart: UInt64, _ read: (Int) -> Void
    ) throws(Failure) -> Opened {
        let start = try store.get(key, range: 0..<UInt64(PackLayout.headerByteCount))
        do throws(Failure) {
            let header = try PackHeader(start, name: "it")
            let offset = footer[0..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let count = footer[8..<12].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let frames = footer[12..<16].reduce(0) { $0 << 8 | Int($1) }
            guard offset >= UInt64(PackLayout.headerByteCount),
                offset.addingReportingOverflow(count) == (footerStart, false)
            else { throw Failure(.damaged, "its footer points elsewhere than at its table") }
            guard let session = session(header.origin) else { return Opened() }
            let keys = try header.open(session, name: "it")
            let sealed = try store.get(key, range: offset..<offset + count)
            read(sealed.count)
            let plain = try AESGCM.open(sealed, key: keys.tableKey, associated: keys.associatedWithTable)
            let table = try PackTable(plain, name: name.path)
            let end = table.frames.reduce(UInt64(PackLayout.headerByteCount)) { $0 + UInt64($1.sealedLength) }
            guard table.frames.count == frames, end == offset else {
                throw Failure(.damaged, "the frames in its table do not make up its body")
            }
            return Opened(sealed: (table, keys))
        } catch  where error.code == .damaged {
            return Opened(trouble: CheckTrouble(.unopenable, error.what))
        }
    }
}

/// Opens the frames of a pack as its bytes go by, and recomputes the ids of their chunks.
private struct FrameScan {
    private let name: ObjectName
    private let table: PackTable
    private let keys: PackKeys
    private let secret: WriterSecret?
    private let cipher: AESGCM
    private let zstd = ZstdDecompressor()
    private var pending: [UInt8] = []
    private var next = 0
    private(set) var trouble: CheckTrouble?
    private static let largestSealed = FrameCodec.headerByteCount + FrameCodec.largest + AESGCM.tagByteCount

    init(_ name: ObjectName, _ table: PackTable, _ keys: PackKeys, _ secret: WriterSecret?) throws {
        self.name = name
        self.table = table
        self.keys = keys
        self.secret = secret
        cipher = AESGCM(key: keys.frameKey)
        if let frame = table.frames.first(where: { Int($0.sealedLength) > Self.largestSealed }) {
            trouble = CheckTrouble(.unopenable, "a frame of it has \(frame.sealedLength) bytes")
        }
    }

    mutating func take(_ piece: [UInt8]) throws {
        guard trouble == nil, next < table.frames.count else { return }
        pending += pending.isEmpty && next == 0 ? piece.dropFirst(PackLayout.headerByteCount) : piece[...]
        var start = 0
        while next < table.frames.count, start + Int(table.frames[next].sealedLength) <= pending.count {
            let end = start + Int(table.frames[next].sealedLength)
            do throws(Failure) {
                try check(start..<end)
            } catch {
                trouble = CheckTrouble(.unopenable, "frame \(next) of it does not open: \(error.what)")
            }
            guard trouble == nil else { return }
            start = end
            next += 1
        }
        pending.removeFirst(start)
    }

    private mutating func check(_ range: Range<Int>) throws(Failure) {
        guard range.count >= AESGCM.tagByteCount else { throw Failure(.damaged, "it is too short") }
        let frame = table.frames[next]
        let number = UInt32(next)
        let count = range.count - AESGCM.tagByteCount
        let associated = keys.associated(frame: number)
        var problem: Failure?
        let plain = unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
            unsafe pending.withUnsafeBytes { source in
                do throws(Failure) {
                    try unsafe cipher.open(
                        UnsafeRawBufferPointer(rebasing: source[range]), nonce: UInt64(number), associated: associated,
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(target)[..<count]))
                    initialized = count
                } catch { problem = error }
            }
        }
        if let problem { throw problem }
        let bytes = try PackOpener.decompress(plain, "it", zstd)
        var parts: [Range<Int>] = []
        var inside = 0
        for chunk in frame.chunks {
            guard chunk.length <= UInt64(bytes.count - inside) else {
                throw Failure(.damaged, "its chunks are longer than it")
            }
            parts.append(inside..<inside + Int(chunk.length))
            inside += Int(chunk.length)
        }
        guard inside == bytes.count else { throw Failure(.damaged, "its chunks are shorter than it") }
        guard let secret else { return }
        let hashes = SHA256.hashes(of: parts, in: bytes)
        if let (chunk, _) = zip(frame.chunks, hashes).first(where: { secret.chunkID(contentHash: $1) != $0.id }) {
            trouble = CheckTrouble(.junk, "chunk \(chunk.id) in frame \(number) is not what its id promises")
        }
    }
}
