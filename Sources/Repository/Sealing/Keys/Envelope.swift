package import Platform

/// A session's data key, sealed to one reader generation. Stored once a session and generation; whoever holds the
/// generation's private half can open everything the session sealed.
package struct Envelope: Sendable, Equatable {
    package var repository: RepositoryID
    package var session: SessionID
    package var generation: UInt32
    package var writer: VerifyingKey
    package var box: SealedBox

    private static let magic = Array("BWEN".utf8)
    package static let largest: UInt64 = 1024

    /// - Parameter ephemeral: 32 random bytes that serve no other purpose; nil draws them here.
    package static func seal(
        dataKey: [UInt8], repository: RepositoryID, session: SessionID, generation: UInt32, reader: [UInt8],
        writer: VerifyingKey, ephemeral: [UInt8]? = nil
    ) throws(Failure) -> Envelope {
        let info = Self.info(repository, session, generation, writer)
        return Envelope(
            repository: repository, session: session, generation: generation, writer: writer,
            box: try SealedBox.seal(dataKey, to: reader, info: info, ephemeral: ephemeral))
    }

    package func open(_ reader: ReaderKey) throws(Failure) -> [UInt8] {
        let key = try reader.open(box, info: Self.info(repository, session, generation, writer))
        guard key.count == 32 else { throw Failure(.damaged, "the envelope of session \(session) holds no data key") }
        return key
    }

    private static func info(
        _ repository: RepositoryID, _ session: SessionID, _ generation: UInt32, _ writer: VerifyingKey
    ) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.text("breakwater envelope v1")
            $0.digest(repository.digest)
            $0.identifier(session)
            $0.number(UInt64(generation))
            $0.raw(writer.bytes)
        }
    }

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(Self.magic)
            $0.byte(1)
            $0.digest(repository.digest)
            $0.identifier(session)
            $0.number(UInt64(generation))
            $0.raw(writer.bytes)
            box.encode(to: &$0)
        }
    }

    private init(
        repository: RepositoryID, session: SessionID, generation: UInt32, writer: VerifyingKey, box: SealedBox
    ) {
        self.repository = repository
        self.session = session
        self.generation = generation
        self.writer = writer
        self.box = box
    }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "an envelope")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not an envelope of version 1")
        }
        repository = RepositoryID(digest: try decoder.digest())
        session = try decoder.identifier()
        generation = try decoder.number32()
        writer = VerifyingKey(bytes: try decoder.raw(VerifyingKey.byteCount))
        box = try SealedBox(from: &decoder)
        try decoder.finish()
    }
}
