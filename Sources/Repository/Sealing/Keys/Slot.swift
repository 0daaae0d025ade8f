package import Platform

/// A key bundle wrapped under a passphrase: scrypt (RFC 7914), then AES-256-GCM with the slot's header as associated
/// data. The salt is fresh, so the key is used once and the nonce is zero.
package struct Slot: Sendable {
    /// What scrypt spends: N, r, p. Bounded when read, so that a hostile slot cannot take the machine's memory.
    package struct Cost: Sendable, Equatable {
        package var cost: UInt32
        package var blockSize: UInt32
        package var parallelism: UInt32
        package static let standard = Cost(cost: 1 << 15, blockSize: 8, parallelism: 1)
        /// For tests only: the same algorithm, at once.
        package static let light = Cost(cost: 1 << 4, blockSize: 8, parallelism: 1)
        package init(cost: UInt32, blockSize: UInt32, parallelism: UInt32) {
            self.cost = cost
            self.blockSize = blockSize
            self.parallelism = parallelism
        }
    }

    package let repository: RepositoryID
    package let cost: Cost
    private let salt: [UInt8]
    private let sealed: [UInt8]

    private static let magic = Array("BWSL".utf8)
    private static let passphraseKind: UInt8 = 1
    package static let largest: UInt64 = 256 << 10

    package static func wrap(
        _ bundle: KeyBundle, passphrase: [UInt8], cost: Cost = .standard, surroundings: Surroundings
    ) throws(Failure) -> Slot {
        let salt = surroundings.random(32)
        let key = try derive(passphrase, salt, cost)
        let header = header(bundle.repository, cost, salt)
        return Slot(
            repository: bundle.repository, cost: cost, salt: salt,
            sealed: AESGCM.seal(bundle.bytes, key: key, associated: header))
    }

    /// - Throws: `.refused` when the passphrase is not this slot's.
    package func unwrap(passphrase: [UInt8]) throws(Failure) -> KeyBundle {
        let key = try Self.derive(passphrase, salt, cost)
        let bytes: [UInt8]
        do throws(Failure) {
            bytes = try AESGCM.open(sealed, key: key, associated: Self.header(repository, cost, salt))
        } catch {
            throw Failure(.refused, "the passphrase opens no key slot", advice: "Check the passphrase file.")
        }
        let bundle = try KeyBundle(bytes)
        guard bundle.repository == repository else { throw Failure(.damaged, "a key slot of another repository") }
        return bundle
    }

    private static func derive(_ passphrase: [UInt8], _ salt: [UInt8], _ cost: Cost) throws(Failure) -> [UInt8] {
        try Scrypt.derive(
            passphrase: passphrase, salt: salt, cost: Int(cost.cost), blockSize: Int(cost.blockSize),
            parallelism: Int(cost.parallelism), count: 32)
    }

    private static func header(_ repository: RepositoryID, _ cost: Cost, _ salt: [UInt8]) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(magic)
            $0.byte(1)
            $0.digest(repository.digest)
            $0.byte(passphraseKind)
            $0.number(UInt64(cost.cost))
            $0.number(UInt64(cost.blockSize))
            $0.number(UInt64(cost.parallelism))
            $0.raw(salt)
        }
    }

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(Self.header(repository, cost, salt))
            $0.string(sealed)
        }
    }

    private init(repository: RepositoryID, cost: Cost, salt: [UInt8], sealed: [UInt8]) {
        self.repository = repository
        self.cost = cost
        self.salt = salt
        self.sealed = sealed
    }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a key slot")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a key slot of version 1")
        }
        repository = RepositoryID(digest: try decoder.digest())
        guard try decoder.byte() == Self.passphraseKind else { throw decoder.malformed("a slot of an unknown kind") }
        cost = Cost(
            cost: UInt32(try decoder.number(atMost: 1 << 20)), blockSize: UInt32(try decoder.number(atMost: 32)),
            parallelism: UInt32(try decoder.number(atMost: 16)))
        salt = try decoder.raw(32)
        sealed = try decoder.string(atMost: Int(Self.largest))
        try decoder.finish()
    }
}
