package import Platform
package import Sealing

/// What everybody may know of a recovery point, key or no key: enough to copy, count, collect and order it.
package struct ClearPart: Hashable, Sendable {
    /// What may be said of the moment the streams show.
    package enum Consistency: UInt8, Sendable { case crash = 0, fileSystem = 1, application = 2 }
    package enum StreamKind: UInt8, Sendable, Codable { case tree = 1, disk = 2, machine = 3 }

    /// Which envelope opens a session's packs.
    package struct SessionEnvelope: Hashable, Comparable, Sendable {
        package var session: SessionID
        package var envelope: Digest
        package init(session: SessionID, envelope: Digest) {
            self.session = session
            self.envelope = envelope
        }
        package static func < (left: Self, right: Self) -> Bool {
            (left.session, left.envelope) < (right.session, right.envelope)
        }
    }

    package struct Lean: Hashable, Sendable {
        package var template: RepositoryID
        package var snapshot: Digest
        package init(template: RepositoryID, snapshot: Digest) {
            self.template = template
            self.snapshot = snapshot
        }
    }

    package var repository: RepositoryID
    package var desktop: DesktopID
    package var generation: UInt64
    package var sequence: UInt64
    /// The desktop's snapshot before this one; nil for its first.
    package var previous: Digest?
    package var consistency: Consistency
    package var readerGeneration: UInt32
    package var streams: [StreamKind]
    /// Digests of the pages of pack roots within which every chunk of the snapshot resolves.
    package var sets: [Digest]
    package var leans: [Lean]
    /// Of every session whose packs are in the sets, and of this one.
    package var envelopes: [SessionEnvelope]
    package var session: SessionID
    package var salt: [UInt8]
    /// SHA-256 of the sealed part as stored.
    package var sealed: Digest

    private static let magic = Array("BWMF".utf8)

    package init(
        repository: RepositoryID, desktop: DesktopID, generation: UInt64, sequence: UInt64, previous: Digest?,
        consistency: Consistency, readerGeneration: UInt32, streams: [StreamKind], sets: [Digest], leans: [Lean],
        envelopes: [SessionEnvelope], session: SessionID, salt: [UInt8]
    ) {
        self.repository = repository
        self.desktop = desktop
        self.generation = generation
        self.sequence = sequence
        self.previous = previous
        self.consistency = consistency
        self.readerGeneration = readerGeneration
        self.streams = streams
        self.sets = sets
        self.leans = leans
        self.envelopes = envelopes
        self.session = session
        self.salt = salt
        sealed = .zero
    }

    /// Everything but the hash of the sealed part. Its SHA-256 is the sealed part's associated data: the sealed part
    /// is bound to the clear one, and the clear one, by `sealed`, to the sealed one.
    package var core: [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(Self.magic)
            $0.byte(1)
            $0.digest(repository.digest)
            $0.identifier(desktop)
            $0.number(generation)
            $0.number(sequence)
            $0.list(previous.map { [$0] } ?? []) { $0.digest($1) }
            $0.byte(consistency.rawValue)
            $0.number(UInt64(readerGeneration))
            $0.list(streams) { $0.byte($1.rawValue) }
            $0.list(sets) { $0.digest($1) }
            $0.list(leans) {
                $0.digest($1.template.digest)
                $0.digest($1.snapshot)
            }
            $0.list(envelopes) {
                $0.identifier($1.session)
                $0.digest($1.envelope)
            }
            $0.identifier(session)
            $0.raw(salt)
        }
    }

    package var bytes: [UInt8] { core + sealed.bytes }

    /// No recovery point, but what an unfinished session of the desktop had stored when it was committed.
    package var isStage: Bool { streams.isEmpty }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a manifest's clear part")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a manifest of version 1")
        }
        repository = RepositoryID(digest: try decoder.digest())
        desktop = try decoder.identifier()
        generation = try decoder.number()
        sequence = try decoder.number()
        let before = try RecordBody.digests(&decoder)
        guard before.count <= 1 else { throw decoder.malformed("two snapshots before this one") }
        previous = before.first
        guard let consistency = Consistency(rawValue: try decoder.byte()) else {
            throw decoder.malformed("a consistency of an unknown kind")
        }
        self.consistency = consistency
        readerGeneration = try decoder.number32()
        streams = try decoder.list(atMost: 1024) { (inner: inout CanonicalDecoder) throws(Failure) in
            guard let kind = StreamKind(rawValue: try inner.byte()) else {
                throw inner.malformed("a stream of an unknown kind")
            }
            return kind
        }
        sets = try RecordBody.digests(&decoder)
        leans = try decoder.list(smallest: 64) { (inner: inout CanonicalDecoder) throws(Failure) in
            Lean(template: RepositoryID(digest: try inner.digest()), snapshot: try inner.digest())
        }
        envelopes = try decoder.list(smallest: 48) { (inner: inout CanonicalDecoder) throws(Failure) in
            SessionEnvelope(session: try inner.identifier(), envelope: try inner.digest())
        }
        session = try decoder.identifier()
        salt = try decoder.raw(32)
        sealed = try decoder.digest()
        try decoder.finish()
    }
}

/// What only readers know of a recovery point: names, times, and where the streams begin.
package struct SealedPart: Hashable, Sendable {
    package struct Stream: Hashable, Sendable {
        package enum Content: Hashable, Sendable {
            /// The entries of the snapshot's root directory.
            case tree(ContentRef)
            case disk(DiskRef)
            /// A machine definition, as a document.
            case machine(ContentRef)
        }
        /// The desktop's own word for it, such as `system`; empty for the only one.
        package var label: String
        package var content: Content
        /// Bytes as the desktop sees them.
        package var bytes: UInt64
        package var files: UInt64

        package init(label: String, content: Content, bytes: UInt64, files: UInt64) {
            self.label = label
            self.content = content
            self.bytes = bytes
            self.files = files
        }

        package var kind: ClearPart.StreamKind {
            switch content {
            case .tree: .tree
            case .disk: .disk
            case .machine: .machine
            }
        }
    }

    package var name: String
    package var time: Timestamp
    package var host: String
    package var streams: [Stream]
    /// Sealed bytes that this snapshot added to the vault.
    package var storedBytes: UInt64
    /// Files that could not be read, or changed while they were.
    package var incomplete: UInt64

    package init(
        name: String, time: Timestamp, host: String, streams: [Stream], storedBytes: UInt64, incomplete: UInt64
    ) {
        self.name = name
        self.time = time
        self.host = host
        self.streams = streams
        self.storedBytes = storedBytes
        self.incomplete = incomplete
    }

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.text(name)
            $0.signed(time.nanoseconds)
            $0.text(host)
            $0.list(streams) { encoder, stream in
                encoder.text(stream.label)
                encoder.byte(stream.kind.rawValue)
                switch stream.content {
                case .tree(let content), .machine(let content): content.encode(to: &encoder)
                case .disk(let disk): disk.encode(to: &encoder)
                }
                encoder.number(stream.bytes)
                encoder.number(stream.files)
            }
            $0.number(storedBytes)
            $0.number(incomplete)
        }
    }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a manifest's sealed part")
        name = try decoder.text()
        time = Timestamp(nanoseconds: try decoder.signed())
        host = try decoder.text()
        streams = try decoder.list(atMost: 1024) { (inner: inout CanonicalDecoder) throws(Failure) in
            let label = try inner.text()
            let content: Stream.Content
            switch ClearPart.StreamKind(rawValue: try inner.byte()) {
            case .tree: content = .tree(try ContentRef(from: &inner))
            case .disk: content = .disk(try DiskRef(from: &inner))
            case .machine: content = .machine(try ContentRef(from: &inner))
            case nil: throw inner.malformed("a stream of an unknown kind")
            }
            return Stream(label: label, content: content, bytes: try inner.number(), files: try inner.number())
        }
        storedBytes = try decoder.number()
        incomplete = try decoder.number()
        try decoder.finish()
    }
}

/// One recovery point as stored: both parts, the author's certificate, and the signature over the clear part.
package struct Manifest: Sendable, Equatable {
    package let clear: ClearPart
    private let sealed: [UInt8]
    package let certificate: Statement
    private let signature: [UInt8]
    package let bytes: [UInt8]

    private static let label = "breakwater manifest v1"
    package static let largest = 900 << 10

    /// Seals and signs.
    package init(
        clear: ClearPart, sealedPart: SealedPart, key: SessionKey, author: SigningKey, certificate: Statement
    ) throws(Failure) {
        var clear = clear
        sealed = AESGCM.seal(
            sealedPart.bytes, key: key.derive(.manifest, salt: clear.salt),
            associated: SHA256.hash(clear.core).bytes)
        clear.sealed = SHA256.hash(sealed)
        self.clear = clear
        self.certificate = certificate
        signature = try author.sign(clear.bytes, label: Self.label)
        bytes = Self.encode(clear, sealed, certificate, signature)
    }

    private static func encode(
        _ clear: ClearPart, _ sealed: [UInt8], _ certificate: Statement, _ signature: [UInt8]
    ) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.string(clear.bytes)
            $0.string(sealed)
            certificate.encode(to: &$0)
            $0.raw(signature)
        }
    }

    /// Decodes and verifies that a writer certified by `root` signed it.
    /// - Throws: `.damaged` with what is wrong.
    package init(_ bytes: [UInt8], root: VerifyingKey, repository: RepositoryID) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a manifest")
        clear = try ClearPart(try decoder.string(atMost: Self.largest))
        sealed = try decoder.string(atMost: Int(ObjectKind.manifest.largest))
        certificate = try Statement(from: &decoder)
        signature = try decoder.raw(VerifyingKey.signatureByteCount)
        try decoder.finish()
        self.bytes = bytes
        guard clear.repository == repository, certificate.repository == repository else {
            throw Failure(.damaged, "a manifest of another repository")
        }
        guard certificate.verifies(root: root), case .certificate(let content) = certificate.content,
            content.role == .writer, content.key.verifies(signature, of: clear.bytes, label: Self.label)
        else { throw Failure(.damaged, "a manifest that no writer of this repository signed") }
        guard SHA256.hash(sealed) == clear.sealed else {
            throw Failure(.damaged, "a manifest whose sealed part is not the signed one")
        }
    }

    package var author: AuthorID? {
        if case .certificate(let content) = certificate.content { content.author } else { nil }
    }

    package func open(_ key: SessionKey) throws(Failure) -> SealedPart {
        try SealedPart(
            try AESGCM.open(
                sealed, key: key.derive(.manifest, salt: clear.salt), associated: SHA256.hash(clear.core).bytes))
    }
}
