import Crypto
package import Platform

/// An Ed25519 key pair (RFC 8032). The private half never appears in a description or an error.
package struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    package init(random surroundings: Surroundings) throws(Failure) { try self.init(seed: surroundings.random(32)) }

    /// - Throws: `.damaged` when the seed is not 32 bytes.
    package init(seed: [UInt8]) throws(Failure) {
        do { key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed) } catch {
            throw Failure(.damaged, "a signing key cannot be read")
        }
    }

    package var seed: [UInt8] { Array(key.rawRepresentation) }
    package var verifying: VerifyingKey { VerifyingKey(bytes: Array(key.publicKey.rawRepresentation)) }

    /// Signs `label` and the bytes, with a zero byte between, so that no signature serves two purposes.
    package func sign(_ bytes: [UInt8], label: String) throws(Failure) -> [UInt8] {
        do { return Array(try key.signature(for: Array(label.utf8) + [0] + bytes)) } catch {
            throw Failure(.failed, "signing failed", cause: error)
        }
    }
}

/// The public half: 32 bytes.
package struct VerifyingKey: Hashable, Sendable {
    package let bytes: [UInt8]
    package static let byteCount = 32
    package static let signatureByteCount = 64

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package func verifies(_ signature: [UInt8], of bytes: [UInt8], label: String) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: self.bytes) else { return false }
        return key.isValidSignature(signature, for: Array(label.utf8) + [0] + bytes)
    }
}
