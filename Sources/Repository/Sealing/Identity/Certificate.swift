internal import Platform

/// The root's word that a key may write records of one role: what is in it is all that a vault needs to know of its
/// author. Our own few bytes rather than X.509: they are checked on the path of every record, by programs that
/// must not trust a parser with bytes from a store.
package struct Certificate: Hashable, Sendable {
    package enum Role: UInt8, Sendable { case writer = 1, reader = 2, site = 3 }
    package enum Subject: UInt8, Sendable { case session = 1, agent = 2 }

    package var author: AuthorID
    package var role: Role
    package var subject: Subject
    package var key: VerifyingKey
    /// The vault whose record numbers `fromRecord` counts; `.none` means any vault, and then `fromRecord` is 0.
    package var vault: VaultID
    package var fromRecord: UInt64

    package init(author: AuthorID, role: Role, subject: Subject, key: VerifyingKey, vault: VaultID, fromRecord: UInt64)
    {
        self.author = author
        self.role = role
        self.subject = subject
        self.key = key
        self.vault = vault
        self.fromRecord = fromRecord
    }

    func encode(to encoder: inout CanonicalEncoder) {
        encoder.identifier(author)
        encoder.byte(role.rawValue)
        encoder.byte(subject.rawValue)
        encoder.raw(key.bytes)
        encoder.identifier(vault)
        encoder.number(fromRecord)
    }

    init(from decoder: inout CanonicalDecoder) throws(Failure) {
        author = try decoder.identifier()
        guard let role = Role(rawValue: try decoder.byte()), let subject = Subject(rawValue: try decoder.byte()) else {
            throw decoder.malformed("a certificate of an unknown role")
        }
        self.role = role
        self.subject = subject
        key = VerifyingKey(bytes: try decoder.raw(VerifyingKey.byteCount))
        vault = try decoder.identifier()
        fromRecord = try decoder.number()
    }
}
