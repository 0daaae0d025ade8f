internal import ObjectStore
package import Platform
package import Sealing

/// Opens frames of packs: finds a vault that holds the pack, the key of the session that sealed it, and decompresses.
/// What one vault has damaged comes from the next.
package final class PackOpener: Sendable {
    /// A vault that may hold packs, and its log's state for finding them by root.
    private let vaults: [Repository]
    private let envelopes: [SessionID: Digest]
    private let repository: Repository
    private let cache = Monitor(Cache())

    private struct Cache {
        var sessions: [SessionID: SessionKey] = [:]
        /// By vault, too: under one root's name another pack may lie, whose keys must not be taken for the root's.
        var packs: [Copy: PackKeys] = [:]
        /// What was damaged or missing in a vault, once each.
        var troubles: Set<Trouble> = []
        var packsBegun: UInt64 = 0
    }

    private static let mostPacks = 4096

    private struct Copy: Hashable, Sendable {
        var vault: Int
        var name: ObjectName
    }

    /// A pack that could not be read as it should in some vault.
    package struct Trouble: Hashable, Sendable {
        package var pack: ObjectName
        package var what: String
        /// In the vault that is being read, not in one that stands in for it.
        package var isHere: Bool
        package var isMissing: Bool
    }

    /// - Parameter vaults: to look for packs in; nil for the repository's own and its alternates.
    package init(_ repository: Repository, envelopes: [SessionID: Digest], in vaults: [Repository]? = nil) {
        self.repository = repository
        self.envelopes = envelopes
        self.vaults = vaults ?? [repository] + repository.alternates
    }

    /// What had to be taken from another vault, or could not be had at all.
    package var troubles: [Trouble] { cache.access { $0.troubles.sorted { ($0.pack, $0.what) < ($1.pack, $1.what) } } }

    /// How many packs were read from, in any vault: each once, unless thousands of others came between.
    package var packsRead: UInt64 { cache.access { $0.packsBegun } }

    // MARK: - Frames

    /// The chunks' bytes of one frame, authenticated and decompressed.
    /// - Throws: `.damaged` or `.notFound` when no vault has it whole.
    package func frame(_ root: Digest, _ number: UInt32, offset: UInt32, sealedLength: UInt32) throws(Failure)
        -> [UInt8]
    {
        try inAnyVault(root) { store, name, keys throws(Failure) in
            let start = UInt64(offset)
            let sealed = try store.get(try name.key(), range: start..<start + UInt64(sealedLength))
            return try Self.open(
                sealed[...], number, keys, "frame \(number) of \(name) in \(store.location)", ZstdDecompressor())
        }
    }

    private static let longestRun: UInt64 = 64 << 20

    /// Several frames that lie one after another in a pack, by one read. A frame that does not open is read by
    /// itself, from any vault.
    package func frames(
        _ root: Digest, _ wanted: [(number: UInt32, offset: UInt32, sealedLength: UInt32)], _ zstd: ZstdDecompressor
    ) -> [Result<[UInt8], Failure>] {
        guard let first = wanted.first, let last = wanted.last else { return [] }
        let start = UInt64(first.offset)
        let end = UInt64(last.offset) + UInt64(last.sealedLength)
        let vault = vaults[0]
        // A segment is a hint, and one that lies must cost time only.
        let isOrdered = wanted.allSatisfy {
            UInt64($0.offset) >= start && UInt64($0.offset) + UInt64($0.sealedLength) <= end
        }
        guard wanted.count > 1, isOrdered, end - start <= Self.longestRun,
            let name = vault.log.state.names(of: .pack, root).first, let key = try? name.key(),
            let keys = try? keys(of: Copy(vault: 0, name: name)).get(),
            let bytes = try? vault.store.get(key, range: start..<end)
        else {
            return wanted.map { one in
                Self.result { () throws(Failure) in
                    try self.frame(root, one.number, offset: one.offset, sealedLength: one.sealedLength)
                }
            }
        }
        return wanted.map { one in
            let from = Int(UInt64(one.offset) - start)
            let piece = bytes[from..<from + Int(one.sealedLength)]
            return Self.result { () throws(Failure) in
                do throws(Failure) {
                    return try Self.open(piece, one.number, keys, "frame \(one.number) of \(name)", zstd)
                } catch {
                    return try self.frame(root, one.number, offset: one.offset, sealedLength: one.sealedLength)
                }
            }
        }
    }

    private static func result<Value>(_ body: () throws(Failure) -> Value) -> Result<Value, Failure> {
        do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
    }

    private static func open(
        _ sealed: ArraySlice<UInt8>, _ number: UInt32, _ keys: PackKeys, _ what: String, _ zstd: ZstdDecompressor
    ) throws(Failure) -> [UInt8] {
        let plain: [UInt8]
        let outcome = unsafe sealed.withUnsafeBytes { bytes in
            result { () throws(Failure) in
                try unsafe AESGCM.open(
                    bytes, key: keys.frameKey, nonce: UInt64(number), associated: keys.associated(frame: number))
            }
        }
        do throws(Failure) { plain = try outcome.get() } catch {
            throw Failure(.damaged, "\(what) is damaged")
        }
        return try decompress(plain, what, zstd)
    }

    /// The bytes that a frame's plaintext stands for.
    package static func decompress(_ plain: [UInt8], _ what: String, _ zstd: ZstdDecompressor) throws(Failure)
        -> [UInt8]
    {
        let header = FrameCodec.headerByteCount
        guard plain.count >= header, let codec = FrameCodec(rawValue: plain[0]) else {
            throw Failure(.damaged, "\(what) has no codec this program knows")
        }
        let length = plain[1..<5].reduce(0) { $0 << 8 | Int($1) }
        guard length <= FrameCodec.largest else { throw Failure(.damaged, "\(what) would be \(length) bytes long") }
        switch codec {
        case .stored:
            guard plain.count == header + length else { throw Failure(.damaged, "\(what) is not as long as it says") }
            return Array(plain[header...])
        case .zstd:
            var problem: Failure?
            let out = unsafe [UInt8](unsafeUninitializedCapacity: length) { target, count in
                unsafe plain.withUnsafeBytes { source in
                    do throws(Failure) {
                        count = try unsafe zstd.decompress(
                            UnsafeRawBufferPointer(rebasing: source[header...]),
                            into: UnsafeMutableRawBufferPointer(
                                rebasing: UnsafeMutableRawBufferPointer(target)[..<length]))
                    } catch { problem = error }
                }
            }
            if let problem { throw problem.during(what) }
            guard out.count == length else { throw Failure(.damaged, "\(what) is not as long as it says") }
            return out
        }
    }

    // MARK: - Tables

    /// What a pack holds, from its own sealed table.
    package func table(_ root: Digest) throws(Failure) -> PackTable { try contents(root).table }

    /// The same, and the session whose key opens it.
    func contents(_ root: Digest) throws(Failure) -> (origin: SessionID, table: PackTable) {
        try inAnyVault(root) { store, name, keys throws(Failure) in
            let key = try name.key()
            guard let length = try store.length(of: key), let body = PackLayout.bodyLength(of: length) else {
                throw Failure(.damaged, "\(name) in \(store.location) has a length that no pack can have")
            }
            let footer = try store.get(key, range: body - UInt64(PackLayout.footerByteCount)..<body)
            let offset = footer[0..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let sealedLength = footer[8..<12].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard offset >= UInt64(PackLayout.headerByteCount),
                offset.addingReportingOverflow(sealedLength) == (body - UInt64(PackLayout.footerByteCount), false)
            else { throw Failure(.damaged, "the footer of \(name) in \(store.location) is damaged") }
            let plain: [UInt8]
            do throws(Failure) {
                plain = try AESGCM.open(
                    try store.get(key, range: offset..<offset + sealedLength), key: keys.tableKey,
                    associated: keys.associatedWithTable)
            } catch  where error.code == .damaged {
                throw Failure(.damaged, "the table of \(name) in \(store.location) is damaged")
            }
            return (keys.origin, try PackTable(plain, name: name.path))
        }
    }

    // MARK: - Where and with which key

    private func inAnyVault<Value>(
        _ root: Digest, _ body: (any ObjectStore, ObjectName, PackKeys) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        var problem: Failure?
        for (number, vault) in vaults.enumerated() {
            var tried: Set<ObjectName> = []
            // What is not found may lie under another name by now: the log is read forward once before giving up.
            for attempt in 0..<2 {
                let names = (attempt == 0 ? vault.log.state : try vault.log.refresh()).names(of: .pack, root)
                for name in names where tried.insert(name).inserted {
                    func note(_ error: Failure) throws(Failure) {
                        guard error.code != .cancelled else { throw error }
                        let trouble = Trouble(
                            pack: name, what: error.what, isHere: number == 0, isMissing: error.code == .notFound)
                        cache.access { _ = $0.troubles.insert(trouble) }
                        problem = problem ?? error
                    }
                    let unlocked: Result<PackKeys, Failure>
                    do throws(Failure) {
                        unlocked = try keys(of: Copy(vault: number, name: name))
                    } catch {
                        try note(error)
                        continue
                    }
                    // Without the session's key no copy of the pack is of use, and none is to blame.
                    let keys = try unlocked.get()
                    do throws(Failure) {
                        return try body(vault.store, name, keys)
                    } catch { try note(error) }
                }
            }
        }
        throw problem ?? Failure(.notFound, "pack \(root) is in no vault at hand")
    }

    /// The keys of a copy of a pack, by its header; a failure as the result when it is the session's key that is
    /// not to be had.
    private func keys(of copy: Copy) throws(Failure) -> Result<PackKeys, Failure> {
        if let known = cache.access({ $0.packs[copy] }) { return .success(known) }
        let store = vaults[copy.vault].store
        let what = "\(copy.name) in \(store.location)"
        let bytes = try store.get(try copy.name.key(), range: 0..<UInt64(PackLayout.headerByteCount))
        let header = try PackHeader(bytes, name: what)
        guard let digest = envelopes[header.origin] else {
            throw Failure(.damaged, "\(what) names session \(header.origin), of which the snapshot carries no envelope")
        }
        let session: SessionKey
        do throws(Failure) {
            session = try self.session(header.origin, digest)
        } catch { return .failure(error) }
        let keys = try header.open(session, name: what)
        cache.access { cache in
            // So many packs are not read in turn; a header more is read again.
            if cache.packs.count >= Self.mostPacks { cache.packs = [:] }
            cache.packs[copy] = keys
            cache.packsBegun += 1
        }
        return .success(keys)
    }

    private func session(_ session: SessionID, _ envelope: Digest) throws(Failure) -> SessionKey {
        if let known = cache.access({ $0.sessions[session] }) { return known }
        let key = try repository.sessionKey(session, envelope: envelope)
        cache.access { $0.sessions[session] = key }
        return key
    }
}
