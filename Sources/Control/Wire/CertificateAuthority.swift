import Crypto
import Foundation
import Model
package import Platform
import SwiftASN1
import X509

/// The estate's own certificate authority: the only root that any of its programs trusts.
///
/// P-256 keys and SHA-256 signatures (RFC 5280, RFC 5480). The coordinator holds it; agents know it by the SHA-256
/// of its certificate, which travels with the enrolment token. Certificates begin an hour before they are issued,
/// because the clocks of two sites differ.
package struct CertificateAuthority: Sendable {
    private let key: P256.Signing.PrivateKey
    private let certificate: Certificate

    private static let skew: TimeInterval = 3600
    private static let day: TimeInterval = 86400

    private init(key: P256.Signing.PrivateKey, certificate: Certificate) {
        self.key = key
        self.certificate = certificate
    }

    /// A new authority, good for ten years.
    package static func make(name: String, at now: Timestamp) throws(Failure) -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        return try during("making a certificate authority") {
            let subject = try DistinguishedName {
                OrganizationName("Breakwater")
                CommonName(name)
            }
            let publicKey = Certificate.PublicKey(key.publicKey)
            let certificate = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey,
                notValidBefore: now.date.addingTimeInterval(-skew),
                notValidAfter: now.date.addingTimeInterval(3650 * day), issuer: subject, subject: subject,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: publicKey)
                }, issuerPrivateKey: Certificate.PrivateKey(key))
            return CertificateAuthority(key: key, certificate: certificate)
        }
    }

    /// The authority as it was kept.
    package init(certificate certificateText: String, key keyText: String) throws(Failure) {
        (key, certificate) = try during("reading the certificate authority") {
            (try P256.Signing.PrivateKey(pemRepresentation: keyText), try Certificate(pemEncoded: certificateText))
        }
        guard Certificate.PublicKey(key.publicKey) == certificate.publicKey else {
            throw Failure(.damaged, "The certificate authority's key does not belong to its certificate")
        }
    }

    /// The certificate, in PEM.
    package func certificatePEM() throws(Failure) -> String { try Self.text(certificate) }

    /// The private key, in PEM: to be kept in a file that only its owner reads, and nowhere else.
    package var keyPEM: String { key.pemRepresentation }

    /// SHA-256 of the certificate's DER.
    package func fingerprint() throws(Failure) -> Platform.Digest { try Self.fingerprint(ofPEM: certificatePEM()) }

    /// SHA-256 of the DER of the one certificate in `text`.
    package static func fingerprint(ofPEM text: String) throws(Failure) -> Platform.Digest {
        try during("reading a certificate") {
            var serializer = DER.Serializer()
            try serializer.serialize(Certificate(pemEncoded: text))
            guard let digest = Platform.Digest(Array(Crypto.SHA256.hash(data: serializer.serializedBytes))) else {
                throw Failure(.failed, "SHA-256 did not yield 32 bytes")
            }
            return digest
        }
    }

    /// A key and certificate for a server reached under `names`: host names and addresses as clients write them.
    package func issueServer(names: [String], at now: Timestamp) throws(Failure) -> TLSIdentity {
        let alternatives = try names.map { name throws(Failure) in try Self.alternative(name) }
        guard let first = names.first else { throw Failure(.usage, "A server's certificate needs a name") }
        let key = P256.Signing.PrivateKey()
        let issued = try issue(
            to: Certificate.PublicKey(key.publicKey), commonName: first, alternatives: alternatives,
            usages: [.serverAuth], days: 365, at: now)
        return try TLSIdentity(key: key.pemRepresentation, certificate: issued, authority: certificatePEM())
    }

    /// The certificate of an agent that asks with `signingRequest` (PKCS #10, PEM). Nothing but the public key is
    /// taken from the request: the names are ours to give.
    /// - Throws: `.refused` when the request is not signed by the key it names.
    package func issueAgent(
        _ identity: AgentIdentity, signingRequest: String, at now: Timestamp
    ) throws(Failure) -> String {
        let request = try during("reading a certificate signing request") {
            try CertificateSigningRequest(pemEncoded: signingRequest)
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw Failure(.refused, "The certificate signing request is not signed by the key it names")
        }
        guard P256.Signing.PublicKey(request.publicKey) != nil else {
            throw Failure(.refused, "An agent's key must be of the P-256 curve")
        }
        return try issue(
            to: request.publicKey, commonName: identity.agent.text,
            alternatives: [.uniformResourceIdentifier(identity.uri), .dnsName(identity.hostName)],
            usages: [.clientAuth, .serverAuth], days: 365, at: now)
    }

    private func issue(
        to publicKey: Certificate.PublicKey, commonName: String, alternatives: [GeneralName],
        usages: [ExtendedKeyUsage.Usage], days: Double, at now: Timestamp
    ) throws(Failure) -> String {
        try during("issuing a certificate to \(commonName)") {
            let issued = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey,
                notValidBefore: now.date.addingTimeInterval(-Self.skew),
                notValidAfter: now.date.addingTimeInterval(days * Self.day), issuer: certificate.subject,
                subject: DistinguishedName { CommonName(commonName) },
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage(usages)
                    SubjectAlternativeNames(alternatives)
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(
                        keyIdentifier: SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier)
                }, issuerPrivateKey: Certificate.PrivateKey(key))
            return try Self.text(issued)
        }
    }

    private static func alternative(_ name: String) throws(Failure) -> GeneralName {
        if let address = NetworkAddress.bytes(of: name) {
            return .ipAddress(ASN1OctetString(contentBytes: address[...]))
        }
        guard NetworkAddress.isHostName(name) else {
            throw Failure(.usage, "\"\(name.prefix(80))\" is neither a host name in lower case nor an address")
        }
        return .dnsName(name)
    }

    private static func text(_ certificate: Certificate) throws(Failure) -> String {
        try during("writing a certificate") { try certificate.serializeAsPEM().pemString + "\n" }
    }
}

extension Timestamp {
    var date: Date { Date(timeIntervalSince1970: Double(nanoseconds) / 1_000_000_000) }
}

/// Runs what throws errors of other libraries, and tells them as ours.
func during<T>(_ context: String, _ body: () throws -> T) throws(Failure) -> T {
    do {
        return try body()
    } catch let failure as Failure {
        throw failure.during(context)
    } catch {
        throw Failure(.failed, context, cause: error)
    }
}
