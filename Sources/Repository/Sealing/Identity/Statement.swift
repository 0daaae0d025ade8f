package import Platform

/// What only the root of a repository may say, signed by it, valid for the repository id in every vault.
package struct Statement: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// What the repository is. Its first words, in every vault.
        case charter(Charter)
        /// This key may write records of this role.
        case certificate(Certificate)
        /// From now on sessions seal to this reader generation.
        case newGeneration(UInt32, reader: [UInt8])
        /// Generations below this one need no envelopes any more.
        case retireGenerations(below: UInt32)
        case revoke([AuthorID])
        case destroyed
        /// An older head of this vault's log is accepted as the true one.
        case acceptHead(vault: VaultID, number: UInt64, hash: Digest)
        /// These envelopes hold the data keys of their sessions too, sealed to that generation.
        case resealed(UInt32, [Resealed])
    }

    /// A session, and the digest of an envelope beside its first one.
    package struct Resealed: Hashable, Sendable {
        package var session: SessionID
        package var envelope: Digest
        package init(session: SessionID, envelope: Digest) {
            self.session = session
            self.envelope = envelope
        }
    }

    /// The most sessions that one statement speaks of, so that it fits a record.
    package static let mostResealed = 4096

    package let repository: RepositoryID
    package let content: Content
    package let signature: [UInt8]

    private static let label = "breakwater statement v1"

    /// Signs as the root.
    package init(_ content: Content, of repository: RepositoryID, root: SigningKey) throws(Failure) {
        self.repository = repository
        self.content = content
        signature = try root.sign(Self.signed(content, repository), label: Self.label)
    }

    package func verifies(root: VerifyingKey) -> Bool {
        root.verifies(signature, of: Self.signed(content, repository), label: Self.label)
    }

    private static func signed(_ content: Content, _ repository: RepositoryID) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.digest(repository.digest)
            encode(content, to: &$0)
        }
    }

    package func encode(to encoder: inout CanonicalEncoder) {
        encoder.digest(repository.digest)
        Self.encode(content, to: &encoder)
        encoder.raw(signature)
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        repository = RepositoryID(digest: try decoder.digest())
        content = try Self.decodeContent(&decoder)
        signature = try decoder.raw(VerifyingKey.signatureByteCount)
    }

    private static func encode(_ content: Content, to encoder: inout CanonicalEncoder) {
        switch content {
        case .charter(let charter):
            encoder.byte(1)
            charter.encode(to: &encoder)
        case .certificate(let certificate):
            encoder.byte(2)
            certificate.encode(to: &encoder)
        case .newGeneration(let generation, let reader):
            encoder.byte(3)
            encoder.number(UInt64(generation))
            encoder.raw(reader)
        case .retireGenerations(let generation):
            encoder.byte(4)
            encoder.number(UInt64(generation))
        case .revoke(let authors):
            encoder.byte(5)
            encoder.list(authors) { $0.identifier($1) }
        case .destroyed: encoder.byte(6)
        case .acceptHead(let vault, let number, let hash):
            encoder.byte(7)
            encoder.identifier(vault)
            encoder.number(number)
            encoder.digest(hash)
        case .resealed(let generation, let envelopes):
            encoder.byte(8)
            encoder.number(UInt64(generation))
            encoder.list(envelopes) {
                $0.identifier($1.session)
                $0.digest($1.envelope)
            }
        }
    }

    private static func decodeContent(_ decoder: inout CanonicalDecoder) throws(Failure) -> Content {
        switch try decoder.byte() {
        case 1: return .charter(try Charter(from: &decoder))
        case 2: return .certificate(try Certificate(from: &decoder))
        case 3: return .newGeneration(try decoder.number32(), reader: try decoder.raw(32))
        case 4: return .retireGenerations(below: try decoder.number32())
        case 5:
            return .revoke(
                try decoder.list(smallest: 16) { (inner: inout CanonicalDecoder) throws(Failure) in
                    try inner.identifier(AuthorTag.self)
                })
        case 6: return .destroyed
        case 7:
            return .acceptHead(
                vault: try decoder.identifier(), number: try decoder.number(), hash: try decoder.digest())
        case 8:
            return .resealed(
                try decoder.number32(),
                try decoder.list(atMost: mostResealed, smallest: 48) {
                    (inner: inout CanonicalDecoder) throws(Failure) in
                    Resealed(session: try inner.identifier(), envelope: try inner.digest())
                })
        default: throw decoder.malformed("a statement of an unknown kind")
        }
    }
}
