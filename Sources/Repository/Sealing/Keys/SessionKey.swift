internal import Platform

/// The random key of one session, and what is derived from it. Each pack attempt and each manifest draws a fresh
/// salt, so no nonce ever repeats under a key; a resumed session is a new session with a new key.
package struct SessionKey: Sendable {
    package let session: SessionID
    package let repository: RepositoryID
    private let dataKey: [UInt8]

    package init(session: SessionID, repository: RepositoryID, dataKey: [UInt8]) {
        self.session = session
        self.repository = repository
        self.dataKey = dataKey
    }

    /// What the sealing is for: one label, one key.
    package enum Purpose: String, Sendable {
        case frame, table, manifest, commitment
    }

    package func derive(_ purpose: Purpose, salt: [UInt8]) -> [UInt8] {
        HKDF.derive(
            key: dataKey, salt: salt,
            info: CanonicalEncoder.bytes {
                $0.text("breakwater session \(purpose.rawValue) v1")
                $0.digest(repository.digest)
                $0.identifier(session)
            }, count: 32)
    }

    /// Associated data of a sealed piece of a pack: repository, origin session, salt, number, kind.
    package func associated(salt: [UInt8], number: UInt64, kind: UInt8) -> [UInt8] {
        Self.associated(repository: repository, session: session, salt: salt, number: number, kind: kind)
    }

    private static func associated(
        repository: RepositoryID, session: SessionID, salt: [UInt8], number: UInt64, kind: UInt8
    ) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.digest(repository.digest)
            $0.identifier(session)
            $0.raw(salt)
            $0.number(number)
            $0.byte(kind)
        }
    }
}
