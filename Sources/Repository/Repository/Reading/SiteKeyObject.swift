package import Platform
package import Sealing

/// A vault's site key, sealed to the reader key beside the log, so that the owner of the repository can take the
/// vault up when the site's own state is gone.
package struct SiteKeyObject: Sendable, Equatable {
    package let vault: VaultID
    private let box: SealedBox
    private static let magic = Array("BWSK".utf8)

    /// - Parameter ephemeral: 32 random bytes that serve no other purpose; nil draws them here.
    package init(
        _ key: SigningKey, repository: RepositoryID, vault: VaultID, reader: [UInt8], ephemeral: [UInt8]? = nil
    ) throws(Failure) {
        self.vault = vault
        box = try SealedBox.seal(key.seed, to: reader, info: Self.info(repository, vault), ephemeral: ephemeral)
    }

    package func open(_ readers: [ReaderKey], repository: RepositoryID) -> SigningKey? {
        for reader in readers {
            if let seed = try? reader.open(box, info: Self.info(repository, vault)),
                let key = try? SigningKey(seed: seed)
            {
                return key
            }
        }
        return nil
    }

    private static func info(_ repository: RepositoryID, _ vault: VaultID) -> [UInt8] {
        Array("breakwater site key v1".utf8) + repository.digest.bytes + vault.bytes
    }

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(Self.magic)
            $0.byte(1)
            $0.identifier(vault)
            box.encode(to: &$0)
        }
    }

    package init(_ bytes: [UInt8]) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "a sealed site key")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a sealed site key of version 1")
        }
        vault = try decoder.identifier()
        box = try SealedBox(from: &decoder)
        try decoder.finish()
    }
}
