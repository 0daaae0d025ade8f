package import Platform

/// Everything a slot wraps: the root's private half, the writer secret, the reader keys of all generations in use.
/// Whoever holds it owns the repository.
package struct KeyBundle: Sendable {
    package var charter: Statement
    package var root: SigningKey
    package var writerSecret: [UInt8]
    package var readers: [ReaderKey]

    /// Keys of a new repository, and its charter.
    package static func make(
        cut: Charter.CutSizes = .init(minimum: 32 << 10, average: 128 << 10, maximum: 512 << 10),
        surroundings: Surroundings
    ) throws(Failure) -> KeyBundle {
        let root = try SigningKey(random: surroundings)
        let reader = try ReaderKey(generation: 1, secret: surroundings.random(32))
        let charter = Charter(
            root: root.verifying, nonce: surroundings.random(32), features: Charter.knownFeatures.sorted(), cut: cut,
            blockSize: 65536, reader: reader.publicKey)
        return KeyBundle(
            charter: try Statement(.charter(charter), of: charter.repository, root: root), root: root,
            writerSecret: surroundings.random(32), readers: [reader])
    }

    package var repository: RepositoryID { charter.repository }

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            charter.encode(to: &$0)
            $0.raw(root.seed)
            $0.raw(writerSecret)
            $0.list(readers) {
                $0.number(UInt64($1.generation))
                $0.raw($1.secret)
            }
        }
    }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a key bundle")
        charter = try Statement(from: &decoder)
        root = try SigningKey(seed: try decoder.raw(32))
        writerSecret = try decoder.raw(32)
        readers = try decoder.list(atMost: 4096, smallest: 33) { (inner: inout CanonicalDecoder) throws(Failure) in
            try ReaderKey(generation: try inner.number32(), secret: try inner.raw(32))
        }
        try decoder.finish()
        guard charter.verifies(root: root.verifying) else { throw decoder.malformed("a charter of another root") }
    }

    private init(charter: Statement, root: SigningKey, writerSecret: [UInt8], readers: [ReaderKey]) {
        self.charter = charter
        self.root = root
        self.writerSecret = writerSecret
        self.readers = readers
    }

    /// Makes a certificate for an author's key.
    package func certify(
        _ key: VerifyingKey, author: AuthorID, role: Certificate.Role, subject: Certificate.Subject,
        vault: VaultID = .none, fromRecord: UInt64 = 0
    ) throws(Failure) -> Statement {
        let certificate = Certificate(
            author: author, role: role, subject: subject, key: key, vault: vault, fromRecord: fromRecord)
        return try Statement(.certificate(certificate), of: repository, root: root)
    }

    /// The author that a writer of this name is: only the owner can tell the one from the other.
    package func writer(named name: String) -> AuthorID {
        AuthorID(
            HKDF.derive(
                key: root.seed, salt: repository.digest.bytes,
                info: Array("breakwater writer name v1".utf8) + [0] + Array(name.utf8), count: AuthorID.byteCount))
            ?? .none
    }
}
