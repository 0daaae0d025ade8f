package import ObjectStore
package import Platform
package import Sealing

/// Turns groups of chunks into packs in the store, on threads of its own.
///
/// 1. `submit` numbers a group and hands it to a worker, waiting when too many are under way.
/// 2. The worker compresses it.
/// 3. Groups are sealed into the open pack in the order they were submitted, by whichever worker holds the next.
/// 4. A full pack is closed (table, footer, leaves), put, read back, opened and compared by the worker that filled it:
///    what a machine compressed or sealed wrongly, or a store did not keep, never counts.
///
/// Bounded: `depth` groups and one pack a worker, besides the open one.
package final class PackWriter: Sendable {
    /// Chunks that are compressed and sealed together.
    package struct Group: Sendable {
        var kind: ChunkKind
        var bytes: [UInt8]
        var chunks: [ChunkRef]

        package init(kind: ChunkKind, bytes: [UInt8], chunks: [ChunkRef]) {
            self.kind = kind
            self.bytes = bytes
            self.chunks = chunks
        }
    }

    /// A pack that is in the store, verified.
    package struct Finished: Sendable {
        package var object: ObjectRef
        package var table: PackTable

        var chunks: Int { table.frames.reduce(0) { $0 + $1.chunks.count } }
    }

    package struct Limits: Sendable {
        /// A pack is closed when it holds this many bytes or chunks.
        var packBytes = 16 << 20
        var packChunks = 32_768
        /// Chunks are gathered into a group, which is compressed as one frame, up to this many bytes or chunks. A longer
        /// chunk is a group by itself.
        var groupBytes = 1 << 20
        var groupChunks = 4096

        package init() {}

        func isFull(_ group: Group) -> Bool {
            group.bytes.count >= groupBytes || group.chunks.count >= groupChunks
        }

        func hasRoom(for count: Int, in group: Group) -> Bool { group.bytes.count + count <= groupBytes }

        /// Room for the last group, the table and the leaves, whatever the chunks.
        var capacity: Int {
            packBytes + 2 * groupBytes + (64 << 10) + (packChunks + groupChunks) * 48 + (packBytes >> 10)
        }
    }

    private struct Compressed: Sendable {
        var frame: [UInt8]
        var kind: ChunkKind
        var chunks: [ChunkRef]
    }

    private struct Open {
        var buffer: PackBuffer
        var header: PackHeader
        var keys: PackKeys
        var cipher: AESGCM
        var table = PackTable()
        var chunks = 0
    }

    private struct State {
        var submitted = 0
        var sealed = 0
        var waiting: [Int: Compressed] = [:]
        var open: Open?
        var finished: [Finished] = []
        var spare: [PackBuffer] = []
        var problem: Failure?
        var storedBytes: UInt64 = 0
    }

    private final class Compressor {
        let zstd: ZstdCompressor
        init(level: Int) { zstd = ZstdCompressor(level: level) }
    }

    private let store: any ObjectStore
    private let session: SessionID
    private let key: SessionKey
    private let secret: WriterSecret
    private let limits: Limits
    private let level: Int
    private let surroundings: Surroundings
    private let pool: WorkerPool
    private let state = Monitor(State())

    package init(
        store: any ObjectStore, session: SessionID, key: SessionKey, secret: WriterSecret, limits: Limits, level: Int,
        workers: Int, surroundings: Surroundings
    ) {
        self.store = store
        self.session = session
        self.key = key
        self.secret = secret
        self.limits = limits
        self.level = level
        self.surroundings = surroundings
        pool = WorkerPool(workers: workers, depth: workers * 2, name: "pack")
    }

    /// - Throws: whatever went wrong with an earlier group.
    package func submit(_ group: Group) throws(Failure) {
        let (number, problem) = state.access { state in
            defer { state.submitted += 1 }
            return (state.submitted, state.problem)
        }
        if let problem { throw problem }
        pool.submit { [self] worker in
            let compressor = worker.kept { Compressor(level: level) }
            let frame = Self.compress(group.bytes, compressor.zstd)
            arrive(Compressed(frame: frame, kind: group.kind, chunks: group.chunks), number: number)
        }
    }

    /// Waits until everything submitted is in the store, and returns all packs that were not taken before.
    package func finish() throws(Failure) -> [Finished] {
        pool.finish()
        let last = state.access { state -> Open? in
            guard state.problem == nil else { return nil }
            defer { state.open = nil }
            return state.open
        }
        if let last { close(last) }
        if let problem = state.access({ $0.problem }) { throw problem }
        return take()
    }

    /// The packs that are in the store and were not taken before.
    func take() -> [Finished] {
        state.access { state in
            defer { state.finished = [] }
            return state.finished
        }
    }

    /// Drops what is under way.
    func stop() {
        state.access { $0.problem = $0.problem ?? Failure(.cancelled, "the backup was given up") }
        pool.finish()
    }

    var storedBytes: UInt64 { state.access { $0.storedBytes } }
    /// Chunks in packs that were not taken.
    var finishedChunks: Int { state.access { $0.finished.reduce(0) { $0 + $1.chunks } } }

    // MARK: - 2. Compress

    /// Codec, length, and the shorter of the bytes and what zstd makes of them.
    private static func compress(_ bytes: [UInt8], _ zstd: ZstdCompressor) -> [UInt8] {
        let header = FrameCodec.headerByteCount
        func begin(_ target: UnsafeMutableRawBufferPointer, _ codec: FrameCodec) {
            unsafe target[0] = codec.rawValue
            for index in 0..<4 { unsafe target[1 + index] = UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * index)) }
        }
        return unsafe [UInt8](unsafeUninitializedCapacity: header + bytes.count) { target, count in
            let raw = UnsafeMutableRawBufferPointer(target)
            let body = unsafe UnsafeMutableRawBufferPointer(rebasing: raw[header..<header + bytes.count])
            unsafe bytes.withUnsafeBytes { source in
                if let length = unsafe zstd.compressIfFits(source, into: body), length < bytes.count {
                    unsafe begin(raw, .zstd)
                    count = header + length
                } else {
                    unsafe begin(raw, .stored)
                    unsafe body.copyMemory(from: source)
                    count = header + bytes.count
                }
            }
        }
    }

    // MARK: - 3. Seal in order

    private func arrive(_ compressed: Compressed, number: Int) {
        let full = state.access { state -> [Open] in
            state.waiting[number] = compressed
            var full: [Open] = []
            while let next = state.waiting.removeValue(forKey: state.sealed) {
                state.sealed += 1
                guard state.problem == nil else { continue }
                if let closed = seal(next, &state) { full.append(closed) }
            }
            return full
        }
        for pack in full { close(pack) }
    }

    /// Returns the pack when this frame filled it.
    private func seal(_ compressed: Compressed, _ state: inout State) -> Open? {
        var open = state.open ?? begin(&state)
        let number = UInt32(open.table.frames.count)
        let length = compressed.frame.count + AESGCM.tagByteCount
        let target = unsafe open.buffer.extend(by: length)
        unsafe compressed.frame.withUnsafeBytes { source in
            unsafe open.cipher.seal(
                source, nonce: UInt64(number), associated: open.keys.associated(frame: number), into: target)
        }
        open.table.frames.append(
            PackTable.Frame(sealedLength: UInt32(length), kind: compressed.kind, chunks: compressed.chunks))
        open.chunks += compressed.chunks.count
        let isFull = open.buffer.count >= limits.packBytes || open.chunks >= limits.packChunks
        state.open = isFull ? nil : open
        return isFull ? open : nil
    }

    private func begin(_ state: inout State) -> Open {
        let buffer = state.spare.popLast() ?? PackBuffer(capacity: limits.capacity)
        buffer.clear()
        let salt = surroundings.random(32)
        let header = PackHeader(key: key, salt: salt)
        let keys = PackKeys(key, salt: salt)
        buffer.append(header.bytes)
        return Open(buffer: buffer, header: header, keys: keys, cipher: AESGCM(key: keys.frameKey))
    }

    // MARK: - 4. Close

    private func close(_ open: Open) {
        let buffer = open.buffer
        let tableOffset = buffer.count
        let table = AESGCM.seal(open.table.bytes, key: open.keys.tableKey, associated: open.keys.associatedWithTable)
        buffer.append(table)
        var footer: [UInt8] = []
        for (value, width) in [(tableOffset, 8), (table.count, 4), (open.table.frames.count, 4)] {
            for index in 0..<width { footer.append(UInt8(truncatingIfNeeded: value >> (8 * (width - 1 - index)))) }
        }
        buffer.append(footer)
        let leaves = unsafe HashTree.leaves(of: buffer.bytes)
        for leaf in leaves { buffer.append(leaf.bytes) }
        let length = UInt64(buffer.count)
        let root = PackLayout.root(length: length, leaves: leaves)
        let name = ObjectName(kind: .pack, digest: root, session: session)
        let reference = ObjectRef(name: name, length: length)
        var problem: Failure?
        do throws(Failure) {
            try put(name, buffer)
            try readBack(reference, open.table)
        } catch { problem = error }
        state.access { state in
            state.spare.append(buffer)
            state.problem = state.problem ?? problem
            guard problem == nil else { return }
            state.storedBytes += length
            state.finished.append(Finished(object: reference, table: open.table))
        }
    }

    private func put(_ name: ObjectName, _ buffer: PackBuffer) throws(Failure) {
        let key = try name.key()
        // An answer that was lost is settled by putting again, as often as it takes: that it is there is then durable.
        for attempt in 1...20 {
            do throws(Failure) {
                try unsafe store.put(key, RawSpan(_unsafeBytes: buffer.bytes), use: .data)
                break
            } catch  where error.code == .exists {
                break
            } catch  where error.code == .unknownOutcome {
                if attempt == 20 { throw error }
            }
        }
    }

    /// What a commit names was in the store, whole, after it was put, and every chunk in it opens to what its id
    /// promises.
    private func readBack(_ reference: ObjectRef, _ table: PackTable) throws(Failure) {
        let key = key
        let check = PackCheck(
            store, reference.name, length: reference.length, readData: true, secret: secret,
            session: { $0 == key.session ? key : nil })
        do {
            guard try check.run({ _ in }) == table else { throw CheckTrouble(.contradicts, "its table is another") }
        } catch let trouble as CheckTrouble {
            throw Failure(
                .damaged,
                "\(reference.name), which was just written, does not open to what went into it: \(trouble.meaning)",
                advice: "The disk or the memory is failing. What is committed is safe; of this backup nothing counts.")
        } catch let failure as Failure {
            throw failure
        } catch { throw Failure(.failed, "\(error)") }
    }
}
