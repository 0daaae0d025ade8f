package import Platform

/// A key bundle under lock: AES-256-GCM with the slot's header as associated data. The key is derived from a passphrase
/// by scrypt (RFC 7914) with a fresh salt, or random and wrapped inside a token; either is used once, and the nonce is
/// zero.
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

    /// How it is locked.
    package enum Lock: Sendable, Equatable {
        case passphrase(Cost, salt: [UInt8])
        case token(label: String, wrapped: [UInt8])
    }

    package let repository: RepositoryID
    package let lock: Lock
    private let sealed: [UInt8]

    private static let magic = Array("BWSL".utf8)
    private static let passphraseKind: UInt8 = 1
    private static let tokenKind: UInt8 = 2
    package static let largest: UInt64 = 256 << 10
    private static let longestLabel = 256
    private static let longestWrap = 1024

    package static func wrap(
        _ bundle: KeyBundle, passphrase: [UInt8], cost: Cost = .standard, surroundings: Surroundings
    ) throws(Failure) -> Slot {
        let salt = surroundings.random(32)
        return seal(
            bundle, under: try derive(passphrase, salt, cost), lock: .passphrase(cost, salt: salt))
    }

    /// - Parameter cost: of a passphrase's slot.
    package static func wrap(
        _ bundle: KeyBundle, _ key: SlotKey, cost: Cost = .standard, surroundings: Surroundings
    ) throws(Failure) -> Slot {
        switch key {
        case .passphrase(let passphrase):
            return try wrap(bundle, passphrase: passphrase, cost: cost, surroundings: surroundings)
        case .token(let token):
            let key = surroundings.random(32)
            let wrapped = try token.wrap(key)
            guard wrapped.count <= longestWrap, token.label.utf8.count <= longestLabel else {
                throw Failure(.failed, "what the key \(token.label) wraps is too long for a slot")
            }
            return seal(bundle, under: key, lock: .token(label: token.label, wrapped: wrapped))
        }
    }

    private static func seal(_ bundle: KeyBundle, under key: [UInt8], lock: Lock) -> Slot {
        Slot(
            repository: bundle.repository, lock: lock,
            sealed: AESGCM.seal(bundle.bytes, key: key, associated: header(bundle.repository, lock)))
    }

    /// - Throws: `.refused` when the passphrase is not this slot's.
    package func unwrap(passphrase: [UInt8]) throws(Failure) -> KeyBundle { try unwrap(.passphrase(passphrase)) }

    /// - Throws: `.refused` when the key is not this slot's, or may not be used any more.
    package func unwrap(_ key: SlotKey) throws(Failure) -> KeyBundle {
        let slotKey: [UInt8]
        switch (lock, key) {
        case (.passphrase(let cost, let salt), .passphrase(let passphrase)):
            slotKey = try Self.derive(passphrase, salt, cost)
        case (.token(_, let wrapped), .token(let token)): slotKey = try token.unwrap(wrapped)
        case (.passphrase, .token):
            throw Failure(.refused, "the key slot is under a passphrase", advice: "Give the passphrase's file.")
        case (.token(let label, _), .passphrase):
            throw Failure(
                .refused, "the key slot is under the key \(label) of a token", advice: "Name the token with --cmk.")
        }
        let bytes: [UInt8]
        do throws(Failure) {
            bytes = try AESGCM.open(sealed, key: slotKey, associated: Self.header(repository, lock))
        } catch {
            throw Failure(
                .refused, "\(key.title) opens no key slot", advice: "Check that it is this repository's.")
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

    private static func header(_ repository: RepositoryID, _ lock: Lock) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(magic)
            $0.byte(1)
            $0.digest(repository.digest)
            switch lock {
            case .passphrase(let cost, let salt):
                $0.byte(passphraseKind)
                $0.number(UInt64(cost.cost))
                $0.number(UInt64(cost.blockSize))
                $0.number(UInt64(cost.parallelism))
                $0.raw(salt)
            case .token(let label, let wrapped):
                $0.byte(tokenKind)
                $0.text(label)
                $0.string(wrapped)
            }
        }
    }

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(Self.header(repository, lock))
            $0.string(sealed)
        }
    }

    private init(repository: RepositoryID, lock: Lock, sealed: [UInt8]) {
        self.repository = repository
        self.lock = lock
        self.sealed = sealed
    }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a key slot")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a key slot of version 1")
        }
        repository = RepositoryID(digest: try decoder.digest())
        switch try decoder.byte() {
        case Self.passphraseKind:
            let cost = Cost(
                cost: UInt32(try decoder.number(atMost: 1 << 20)), blockSize: UInt32(try decoder.number(atMost: 32)),
                parallelism: UInt32(try decoder.number(atMost: 16)))
            lock = .passphrase(cost, salt: try decoder.raw(32))
        case Self.tokenKind:
            lock = .token(
                label: try decoder.text(atMost: Self.longestLabel),
                wrapped: try decoder.string(atMost: Self.longestWrap))
        default: throw decoder.malformed("a slot of an unknown kind")
        }
        sealed = try decoder.string(atMost: Int(Self.largest))
        try decoder.finish()
    }
}
