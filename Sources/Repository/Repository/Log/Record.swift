package import ObjectStore
package import Platform
package import Sealing

/// One record of a repository's log: who says what, after which record. A value of this type was decoded and its
/// signature holds; whether it has an effect is the business of `LogState`.
package struct Record: Sendable, Equatable {
    /// Who signed it.
    package enum Author: Hashable, Sendable {
        /// The vault's site key, as the genesis names it.
        case site
        /// A key that the root certified.
        case certified(Statement)
    }

    package let vault: VaultID
    package let number: UInt64
    package let previous: Digest
    /// The last effective checkpoint record before this one; 0 when there is none.
    package let checkpoint: UInt64
    package let author: Author
    package let body: RecordBody
    /// The canonical bytes, signature included.
    package let bytes: [UInt8]

    /// The longest canonical form, so that an object of two halves stays within 2 MiB and a bit.
    package static let largest = 1 << 20
    private static let magic = Array("BWLR".utf8)
    private static let opening = magic + [1]
    private static let label = "breakwater record v1"

    /// What the next record names as `previous`.
    package var hash: Digest { Self.hash(ofRecord: bytes) }

    package static func hash(ofRecord bytes: [UInt8]) -> Digest {
        SHA256.hash(Array("breakwater record hash v1".utf8) + [0] + bytes)
    }

    /// What stands for the hash of bytes at a number that are no record: a void names it.
    package static func hash(ofUnverified object: [UInt8]) -> Digest {
        SHA256.hash(Array("breakwater unverified v1".utf8) + [0] + object)
    }

    /// Signs a record.
    /// - Throws: `.failed` when it would be longer than `largest`.
    package init(
        repository: RepositoryID, vault: VaultID, number: UInt64, previous: Digest, checkpoint: UInt64,
        author: Author, body: RecordBody, key: SigningKey
    ) throws(Failure) {
        var encoder = CanonicalEncoder()
        encoder.raw(Self.magic)
        encoder.byte(1)
        encoder.digest(repository.digest)
        encoder.identifier(vault)
        encoder.number(number)
        encoder.digest(previous)
        encoder.number(checkpoint)
        switch author {
        case .site: encoder.byte(0)
        case .certified(let statement):
            encoder.byte(1)
            statement.encode(to: &encoder)
        }
        body.encode(to: &encoder)
        encoder.raw(try key.sign(encoder.bytes, label: Self.label))
        guard encoder.bytes.count <= Self.largest else {
            throw Failure(.failed, "a \(body.title) record of \(encoder.bytes.count) bytes is too long")
        }
        self.vault = vault
        self.number = number
        self.previous = previous
        self.checkpoint = checkpoint
        self.author = author
        self.body = body
        bytes = encoder.bytes
    }

    /// Decodes and authenticates canonical bytes. `site` and `root` are nil for the genesis only, which brings its own.
    /// - Throws: `.damaged` unless every byte is as one of the repository's authors signed it.
    package init(
        _ bytes: [UInt8], repository: RepositoryID, vault: VaultID?, number: UInt64, site: VerifyingKey?,
        root: VerifyingKey?
    ) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "log record \(number)")
        guard bytes.count <= Self.largest, try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a record of version 1")
        }
        guard try decoder.digest() == repository.digest else {
            throw decoder.malformed("a record of another repository")
        }
        let ownVault: VaultID = try decoder.identifier()
        guard vault == nil || ownVault == vault else { throw decoder.malformed("a record of another vault") }
        guard try decoder.number() == number else { throw decoder.malformed("a record of another number") }
        self.vault = ownVault
        self.number = number
        previous = try decoder.digest()
        checkpoint = try decoder.number()
        switch try decoder.byte() {
        case 0: author = .site
        case 1: author = .certified(try Statement(from: &decoder))
        default: throw decoder.malformed("an author of an unknown kind")
        }
        body = try RecordBody(from: &decoder)
        let signed = Array(bytes[0..<decoder.offset])
        let signature = try decoder.raw(VerifyingKey.signatureByteCount)
        try decoder.finish()
        self.bytes = bytes
        let key = try Self.key(of: author, body: body, repository: repository, site: site, root: root)
        guard key.verifies(signature, of: signed, label: Self.label) else {
            throw Failure(.damaged, "the signature of log record \(number) does not hold")
        }
    }

    /// Which repository and vault a record says it belongs to: for opening a log of which nothing is known yet.
    package static func identity(_ bytes: [UInt8]) throws(Failure) -> (repository: RepositoryID, vault: VaultID) {
        var decoder = CanonicalDecoder(bytes, "a log record")
        guard try decoder.raw(4) == magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a record of version 1")
        }
        return (RepositoryID(digest: try decoder.digest()), try decoder.identifier())
    }

    /// The number that a record says it has; nil for what is none.
    static func number(in bytes: [UInt8]) -> UInt64? { place(of: bytes)?.number }

    /// The hash by which a record names the one before it; nil for what is none.
    static func previous(in bytes: [UInt8]) -> Digest? { place(of: bytes)?.previous }

    private static func place(of bytes: [UInt8]) -> (number: UInt64, previous: Digest)? {
        var decoder = CanonicalDecoder(bytes, "a log record")
        guard (try? decoder.raw(magic.count + 1)) == opening, (try? decoder.digest()) != nil,
            let _: VaultID = try? decoder.identifier(), let number = try? decoder.number(),
            let previous = try? decoder.digest()
        else { return nil }
        return (number, previous)
    }

    /// The certified author that a record names, whose signature is not looked at; nil for a site's.
    static func certifiedAuthor(_ bytes: [UInt8]) -> AuthorID? {
        var decoder = CanonicalDecoder(bytes, "a log record")
        guard (try? decoder.raw(magic.count + 1)) == opening, (try? decoder.digest()) != nil,
            let _: VaultID = try? decoder.identifier(), (try? decoder.number()) != nil,
            (try? decoder.digest()) != nil, (try? decoder.number()) != nil, (try? decoder.byte()) == 1,
            let statement = try? Statement(from: &decoder), case .certificate(let certificate) = statement.content
        else { return nil }
        return certificate.author
    }

    private static func key(
        of author: Author, body: RecordBody, repository: RepositoryID, site: VerifyingKey?, root: VerifyingKey?
    ) throws(Failure) -> VerifyingKey {
        if case .genesis(let charter, let ownSite) = body, site == nil {
            guard case .site = author, case .charter(let content) = charter.content,
                charter.repository == repository, content.repository == repository, charter.verifies(root: content.root)
            else { throw Failure(.damaged, "the charter in log record 0 is not this repository's") }
            return ownSite
        }
        switch author {
        case .site:
            guard let site else { throw Failure(.damaged, "log record 0 is no genesis") }
            return site
        case .certified(let statement):
            guard let root, statement.repository == repository, statement.verifies(root: root),
                case .certificate(let certificate) = statement.content
            else { throw Failure(.damaged, "a log record's author was not certified by this repository's root") }
            return certificate.key
        }
    }

    // MARK: - The object

    /// `log/<16 decimal digits>`.
    package static func key(_ number: UInt64) throws(Failure) -> StoreKey { try key(number, folder: "log") }

    package static func key(_ number: UInt64, folder: String) throws(Failure) -> StoreKey {
        let digits = String(number)
        let path = "\(folder)/" + String(repeating: "0", count: max(0, 16 - digits.count)) + digits
        guard let key = StoreKey(path) else { throw Failure(.failed, "\(path) is no store key") }
        return key
    }

    /// The number of the record that a proper key of the log names.
    static func number(of key: StoreKey) -> UInt64? {
        guard key.text.hasPrefix("log/"), let number = UInt64(key.text.dropFirst(4)), (try? Self.key(number)) == key
        else { return nil }
        return number
    }

    package static let largestObject = UInt64(2 * (largest + Digest.byteCount))

    /// The stored form: the canonical bytes twice, each followed by its checksum.
    package static func object(_ canonical: [UInt8]) -> [UInt8] {
        let half = canonical + checksum(canonical).bytes
        return half + half
    }

    /// The canonical bytes out of a stored object, from whichever half is whole. Where bytes were lost or added, the
    /// first half is looked for from the front, the second from the back.
    package struct Halves: Sendable {
        package let first: [UInt8]?
        package let second: [UInt8]?
        /// The object is not as it was written.
        package let isHurt: Bool
        package var either: [UInt8]? { first ?? second }
        /// Each half that is whole.
        package var both: [[UInt8]] { [first, second].compactMap { $0 } }
        /// Each whole half once: what may be the record.
        package var different: [[UInt8]] { first == second ? [first].compactMap { $0 } : both }

        package init(_ object: [UInt8]) {
            let middle = object.count / 2
            var (first, second) = (Self.whole(object[..<middle]), Self.whole(object[middle...]))
            if first == nil, second == nil {
                let openings = Self.openings(in: object)
                // The second half may have been cut down to less than its opening, or have lost some of that.
                let ends =
                    openings.prefix(Self.tries) + (max(0, object.count - Record.opening.count)...object.count)
                    + (max(0, middle - Self.tries)...min(object.count, middle + Self.tries))
                for end in ends where first == nil { first = Self.whole(object[..<end]) }
                for start in openings.suffix(Self.tries).reversed() where second == nil {
                    second = Self.whole(object[start...])
                }
            }
            self.first = first
            self.second = second
            isHurt = first == nil || first != second || first.map { 2 * ($0.count + Digest.byteCount) } != object.count
        }

        /// Each try hashes up to 2 MiB, and whoever puts junk can put as many openings in it as he likes.
        private static let tries = 8

        /// Where a record may begin, besides the front.
        private static func openings(in object: [UInt8]) -> [Int] {
            let opening = Record.opening
            guard object.count > opening.count else { return [] }
            return (1...object.count - opening.count).filter { place in
                object[place] == opening[0] && object[place..<place + opening.count].elementsEqual(opening)
            }
        }

        private static func whole(_ half: ArraySlice<UInt8>) -> [UInt8]? {
            guard half.count > Digest.byteCount else { return nil }
            let canonical = Array(half.dropLast(Digest.byteCount))
            return Digest(half.suffix(Digest.byteCount)) == Record.checksum(canonical) ? canonical : nil
        }
    }

    private static func checksum(_ canonical: [UInt8]) -> Digest {
        SHA256.hash(Array("breakwater record checksum v1".utf8) + [0] + canonical)
    }
}
