import Crypto
import Foundation
package import Platform

/// The private half of one reader generation (X25519): opens the envelopes sealed to it.
package struct ReaderKey: Sendable {
    package let generation: UInt32
    private let key: Curve25519.KeyAgreement.PrivateKey

    package init(generation: UInt32, secret: [UInt8]) throws(Failure) {
        self.generation = generation
        do { key = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secret) } catch {
            throw Failure(.damaged, "a reader key cannot be read")
        }
    }

    /// For slots and grants only.
    package var secret: [UInt8] { Array(key.rawRepresentation) }
    package var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

    /// Opens what `SealedBox.seal` made for this key.
    package func open(_ box: SealedBox, info: [UInt8]) throws(Failure) -> [UInt8] {
        do {
            var recipient = try HPKE.Recipient(
                privateKey: key, ciphersuite: SealedBox.suite, info: Data(info), encapsulatedKey: Data(box.encapsulated)
            )
            return Array(try recipient.open(Data(box.ciphertext)))
        } catch {
            throw Failure(.damaged, "a sealed key does not open under reader generation \(generation)")
        }
    }
}

/// A few bytes sealed to a public key by HPKE (RFC 9180, base mode, X25519, HKDF-SHA-256, AES-256-GCM).
package struct SealedBox: Sendable, Equatable {
    package let encapsulated: [UInt8]
    package let ciphertext: [UInt8]

    static let suite = HPKE.Ciphersuite(kem: .Curve25519_HKDF_SHA256, kdf: .HKDF_SHA256, aead: .AES_GCM_256)

    /// - Parameter ephemeral: 32 random bytes that serve no other purpose; nil draws them here.
    /// - Throws: `.damaged` when `publicKey` is not an X25519 public key.
    package static func seal(
        _ plaintext: [UInt8], to publicKey: [UInt8], info: [UInt8], ephemeral: [UInt8]? = nil
    ) throws(Failure) -> SealedBox {
        do {
            let sealed = try KeyEncapsulation.seal(
                plaintext, to: try Curve25519.KeyAgreement.PublicKey(rawRepresentation: publicKey), info: info,
                ephemeral: try ephemeral.map { try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: $0) }
                    ?? .init())
            return SealedBox(encapsulated: sealed.encapsulated, ciphertext: sealed.ciphertext)
        } catch {
            throw Failure(.damaged, "nothing can be sealed to this reader key")
        }
    }

    package init(encapsulated: [UInt8], ciphertext: [UInt8]) {
        self.encapsulated = encapsulated
        self.ciphertext = ciphertext
    }

    package func encode(to encoder: inout CanonicalEncoder) {
        encoder.string(encapsulated)
        encoder.string(ciphertext)
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        encapsulated = try decoder.string(atMost: 32)
        ciphertext = try decoder.string(atMost: 4096)
    }
}
