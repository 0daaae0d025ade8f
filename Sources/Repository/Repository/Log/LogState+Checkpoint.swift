package import Platform
internal import Sealing

/// A state as bytes, for the checkpoint object: every field but what the genesis says, in fixed order, everything that
/// has no order of its own sorted. Equal states give equal bytes.
extension LogState {
    private static let magic = Array("BWCP".utf8)

    /// - Throws: `.failed` for a state nobody may build on: bytes before it are no record, or something in it was not
    ///   decided.
    package func checkpointBytes() throws(Failure) -> [UInt8] {
        guard isSettled else {
            throw Failure(.failed, "the log's state after record \(head) is not settled, and no checkpoint can hold it")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(objects.count * 64)
        encodeInPieces { bytes += $0 }
        return bytes
    }

    /// What a checkpoint that holds this state is named by; nil for a state that none can hold.
    var checkpointDigest: Digest? {
        guard isSettled else { return nil }
        var stream = SHA256Stream()
        encodeInPieces { stream.update($0) }
        return stream.finish()
    }

    private var isSettled: Bool { blockedBy == nil && undecided.isEmpty }

    /// The state's bytes, one stretch after another: there may be hundreds of thousands of objects.
    private func encodeInPieces(_ take: ([UInt8]) -> Void) {
        var encoder = CanonicalEncoder()
        encoder.raw(Self.magic)
        encoder.byte(1)
        encoder.digest(repository.digest)
        encoder.identifier(vault)
        encoder.number(head)
        encoder.digest(headHash)
        encoder.number(objects.count)
        objects.forEachInOrder { name, held in
            name.encode(to: &encoder)
            encoder.number(held.length)
            encoder.number(held.since)
            encoder.byte(held.status.rawValue)
            encoder.number(held.changed)
            if encoder.bytes.count >= Self.stretch {
                take(encoder.bytes)
                encoder = CanonicalEncoder()
            }
        }
        encodeMoves(to: &encoder)
        encodeSnapshots(to: &encoder)
        encodeRights(to: &encoder)
        take(encoder.bytes)
    }

    private static let stretch = 64 << 10

    private func encodeMoves(to encoder: inout CanonicalEncoder) {
        encoder.list(moved.sorted { $0.key < $1.key }) {
            $0.digest($1.key)
            $0.number($1.value.record)
            $0.list($1.value.objects) { $1.encode(to: &$0) }
        }
        encoder.list(closedSessions.sorted()) { $0.identifier($1) }
    }

    private func encodeSnapshots(to encoder: inout CanonicalEncoder) {
        encoder.list(snapshots.sorted { $0.key < $1.key }) {
            // The key is the manifest's digest.
            $0.number($1.value.record)
            $1.value.manifest.encode(to: &$0)
            $0.string($1.value.clear.bytes)
            $1.value.origin.encode(to: &$0)
            $0.list($1.value.author.map { [$0] } ?? []) { $0.identifier($1) }
            $0.byte($1.value.isForgotten ? 1 : 0)
        }
        encoder.list(newest.sorted { $0.key < $1.key }) {
            $0.identifier($1.key)
            $0.number($1.value.generation)
            $0.number($1.value.sequence)
            $0.digest($1.value.manifest)
        }
        encoder.list(forgotten.sorted()) { $0.digest($1) }
        encoder.list(claims.sorted { $0.key < $1.key }) {
            $0.identifier($1.key)
            $0.number($1.value.record)
            $0.list($1.value.owner.map { [$0] } ?? []) { $0.identifier($1) }
            $1.value.scope.encode(to: &$0)
        }
    }

    private func encodeRights(to encoder: inout CanonicalEncoder) {
        encoder.list(revoked.sorted()) { $0.identifier($1) }
        encoder.list(readers.sorted { $0.key < $1.key }) {
            $0.number(UInt64($1.key))
            $0.raw($1.value)
        }
        encoder.number(UInt64(oldestReader))
        encoder.list(closedLeans.sorted()) { $0.digest($1) }
        encoder.byte(isDestroyed ? 1 : 0)
        encoder.list(checkpoint.map { [$0] } ?? []) {
            $0.number($1.record)
            $0.number($1.state)
            $1.object.encode(to: &$0)
        }
        encoder.list(acceptedHeads.sorted { $0.key < $1.key }) {
            $0.number($1.key)
            $0.digest($1.value)
        }
        encodeResealed(to: &encoder)
    }

    // MARK: - Decoding

    /// - Parameter genesis: the state after record 0 of the same log: charter and site key come from there.
    /// - Throws: `.damaged` unless encoding what was read gives these very bytes.
    package init(checkpoint bytes: [UInt8], genesis: LogState) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a checkpoint")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a checkpoint of version 1")
        }
        guard try decoder.digest() == genesis.repository.digest, try decoder.identifier() == genesis.vault else {
            throw decoder.malformed("a checkpoint of another log")
        }
        self = genesis
        head = try decoder.number()
        headHash = try decoder.digest()
        try decodeHoldings(&decoder)
        try decodeSnapshots(&decoder)
        try decodeRights(&decoder)
        try decoder.finish()
        // One spelling: sorted, nothing twice.
        var (offset, isSame) = (0, true)
        encodeInPieces { piece in
            isSame = isSame && bytes[offset...].starts(with: piece)
            offset += piece.count
        }
        guard isSame, offset == bytes.count else { throw decoder.malformed("another spelling of a state") }
    }

    private mutating func decodeHoldings(_ decoder: inout CanonicalDecoder) throws(Failure) {
        let held = try decoder.list(smallest: 53) { (inner: inout CanonicalDecoder) throws(Failure) in
            let name = try ObjectName(from: &inner)
            let (length, since) = (try inner.number(), try inner.number())
            guard let status = Holding.Status(rawValue: try inner.byte()) else {
                throw inner.malformed("an unknown status")
            }
            return (
                key: name, value: Holding(length: length, since: since, status: status, changed: try inner.number())
            )
        }
        guard zip(held, held.dropFirst()).allSatisfy({ $0.key < $1.key }) else {
            throw decoder.malformed("objects out of order")
        }
        objects = ObjectTable(held)
        let moves = try decoder.list(smallest: 34) { (inner: inout CanonicalDecoder) throws(Failure) in
            let root = try inner.digest()
            let record = try inner.number()
            let objects = try inner.list(smallest: ObjectRef.smallest) {
                (innermost: inout CanonicalDecoder) throws(Failure) in try ObjectRef(from: &innermost)
            }
            return (root, Moved(record: record, objects: objects))
        }
        moved = Dictionary(moves, uniquingKeysWith: { first, _ in first })
        closedSessions = Set(try Self.identifiers(SessionTag.self, &decoder))
    }

    private mutating func decodeSnapshots(_ decoder: inout CanonicalDecoder) throws(Failure) {
        let committed = try decoder.list(smallest: 60) { (inner: inout CanonicalDecoder) throws(Failure) in
            let record = try inner.number()
            let manifest = try ObjectRef(from: &inner)
            let clear = try ClearPart(try inner.string(atMost: Record.largest))
            let origin = try RecordBody.Commit.Origin(from: &inner)
            let authors = try Self.identifiers(AuthorTag.self, &inner)
            guard authors.count <= 1 else { throw inner.malformed("two authors") }
            return Committed(
                record: record, manifest: manifest, clear: clear, origin: origin, author: authors.first,
                isForgotten: try Self.flag(&inner))
        }
        snapshots = Dictionary(committed.map { ($0.manifest.name.digest, $0) }, uniquingKeysWith: { first, _ in first })
        let last = try decoder.list(smallest: 50) { (inner: inout CanonicalDecoder) throws(Failure) in
            let desktop: DesktopID = try inner.identifier()
            let (generation, sequence) = (try inner.number(), try inner.number())
            return (desktop, Newest(generation: generation, sequence: sequence, manifest: try inner.digest()))
        }
        newest = Dictionary(last, uniquingKeysWith: { first, _ in first })
        forgotten = Set(try RecordBody.digests(&decoder))
        let held = try decoder.list(smallest: 19) { (inner: inout CanonicalDecoder) throws(Failure) in
            let claim: ClaimID = try inner.identifier()
            let record = try inner.number()
            let owners = try Self.identifiers(AuthorTag.self, &inner)
            guard owners.count <= 1 else { throw inner.malformed("two owners") }
            return (claim, Claim(record: record, owner: owners.first, scope: try RecordBody.ClaimScope(from: &inner)))
        }
        claims = Dictionary(held, uniquingKeysWith: { first, _ in first })
    }

    private mutating func decodeRights(_ decoder: inout CanonicalDecoder) throws(Failure) {
        revoked = Set(try Self.identifiers(AuthorTag.self, &decoder))
        let keys = try decoder.list(smallest: 33) { (inner: inout CanonicalDecoder) throws(Failure) in
            (try inner.number32(), try inner.raw(32))
        }
        readers = Dictionary(keys, uniquingKeysWith: { first, _ in first })
        oldestReader = try decoder.number32()
        closedLeans = Set(try RecordBody.digests(&decoder))
        isDestroyed = try Self.flag(&decoder)
        let marks = try decoder.list(atMost: 1, smallest: 51) { (inner: inout CanonicalDecoder) throws(Failure) in
            CheckpointMark(
                record: try inner.number(), state: try inner.number(), object: try ObjectName(from: &inner))
        }
        checkpoint = marks.first
        let heads = try decoder.list(smallest: 33) { (inner: inout CanonicalDecoder) throws(Failure) in
            (try inner.number(), try inner.digest())
        }
        acceptedHeads = Dictionary(heads, uniquingKeysWith: { first, _ in first })
        try decodeResealed(&decoder)
    }

    private static func identifiers<Owner>(
        _: Owner.Type, _ decoder: inout CanonicalDecoder
    ) throws(Failure) -> [Identifier<Owner>] {
        try decoder.list(smallest: 16) { (inner: inout CanonicalDecoder) throws(Failure) in try inner.identifier() }
    }

    private static func flag(_ decoder: inout CanonicalDecoder) throws(Failure) -> Bool {
        switch try decoder.byte() {
        case 0: return false
        case 1: return true
        default: throw decoder.malformed("neither yes nor no")
        }
    }
}
