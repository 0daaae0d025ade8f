import Crypto
import Foundation
internal import Platform

/// The sending half of HPKE (RFC 9180) in base mode, for one message, with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
/// AES-256-GCM: as the library's, but for the ephemeral key, which is handed in, since all randomness of a
/// run comes from its surroundings. The receiving half is the library's, and opens what this seals.
enum KeyEncapsulation {
    private static let kem: [UInt8] = Array("KEM".utf8) + [0x00, 0x20]
    private static let suite: [UInt8] = Array("HPKE".utf8) + [0x00, 0x20, 0x00, 0x01, 0x00, 0x02]

    static func seal(
        _ plaintext: [UInt8], to recipient: Curve25519.KeyAgreement.PublicKey, info: [UInt8],
        ephemeral: Curve25519.KeyAgreement.PrivateKey
    ) throws -> (encapsulated: [UInt8], ciphertext: [UInt8]) {
        // Section 4.1, Encap.
        let agreed = try ephemeral.sharedSecretFromKeyAgreement(with: recipient)
        let encapsulated = Array(ephemeral.publicKey.rawRepresentation)
        let secretBytes = unsafe agreed.withUnsafeBytes { unsafe Array($0) }
        // Section 7.1.4: a point of small order agrees on nothing secret.
        guard secretBytes.contains(where: { $0 != 0 }) else {
            throw Failure(.damaged, "the recipient's key is a point of small order")
        }
        let root = extract(salt: [], "eae_prk", secretBytes, kem)
        let shared = expand(
            root, "shared_secret", encapsulated + Array(recipient.rawRepresentation), count: 32, kem)
        // Section 5.1, KeySchedule with mode 0 and no pre-shared key.
        let context =
            [0] + extract(salt: [], "psk_id_hash", [], suite).bytes + extract(salt: [], "info_hash", info, suite).bytes
        let secret = extract(salt: shared, "secret", [], suite)
        let key = expand(secret, "key", context, count: 32, suite)
        let nonce = expand(secret, "base_nonce", context, count: 12, suite)
        // Section 5.2: the nonce of the first message is the base nonce.
        let box = try AES.GCM.seal(
            plaintext, using: SymmetricKey(data: key), nonce: try AES.GCM.Nonce(data: nonce))
        return (encapsulated, Array(box.ciphertext) + Array(box.tag))
    }

    /// Section 4, LabeledExtract.
    private static func extract(salt: [UInt8], _ label: String, _ input: [UInt8], _ suite: [UInt8]) -> Platform.Digest {
        HMACKey(salt).authenticate(Array("HPKE-v1".utf8) + suite + Array(label.utf8) + input)
    }

    /// Section 4, LabeledExpand.
    private static func expand(
        _ key: Platform.Digest, _ label: String, _ info: [UInt8], count: Int, _ suite: [UInt8]
    ) -> [UInt8] {
        let length = [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
        return Platform.HKDF.expand(
            key, info: length + Array("HPKE-v1".utf8) + suite + Array(label.utf8) + info, count: count)
    }
}
