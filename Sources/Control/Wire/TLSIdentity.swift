import Crypto
import NIOCore
package import NIOSSL
package import Platform
import SwiftASN1
import X509

/// A private key, the certificate that goes with it, and the one authority its owner trusts.
///
/// It makes the TLS configurations of the whole estate, so that no program chooses its own: TLS 1.2 at least, full
/// verification, no root but ours.
package struct TLSIdentity: Sendable {
    /// PEM.
    package let key: String
    package let certificate: String
    package let authority: String

    /// How long a closing connection waits for the other end to say goodbye: what was said is complete by then.
    private static let shutdownTimeout = TimeAmount.milliseconds(500)

    private let privateKey: NIOSSLPrivateKey
    private let chain: [NIOSSLCertificate]
    private let roots: [NIOSSLCertificate]

    package init(key: String, certificate: String, authority: String) throws(Failure) {
        self.key = key
        self.certificate = certificate
        self.authority = authority
        (privateKey, chain, roots) = try during("reading a TLS identity") {
            guard
                try Certificate.PublicKey(P256.Signing.PrivateKey(pemRepresentation: key).publicKey)
                    == Certificate(pemEncoded: certificate).publicKey
            else { throw Failure(.damaged, "The key does not belong to the certificate") }
            return (
                try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem),
                try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)),
                try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8))
            )
        }
    }

    /// A new key and the request for its certificate, for an agent about to enrol.
    package static func makeSigningRequest() throws(Failure) -> (key: String, request: String) {
        let key = P256.Signing.PrivateKey()
        let request = try during("making a certificate signing request") {
            try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName { CommonName("breakwater agent") },
                privateKey: Certificate.PrivateKey(key), attributes: CertificateSigningRequest.Attributes()
            ).serializeAsPEM().pemString
        }
        return (key.pemRepresentation, request)
    }

    /// Who the certificate says we are; nil for a server's certificate.
    package var agent: AgentIdentity? {
        guard let leaf = try? Certificate(pemEncoded: certificate) else { return nil }
        return PeerCertificate.agent(of: leaf)
    }

    /// For a server whose callers show no certificate: the operators' interface, and enrolment.
    package func serverConfiguration() -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = Self.shutdownTimeout
        return configuration
    }

    /// For a server that only holders of a certificate of our authority can talk to. Handshakes without one fail.
    package func mutualServerConfiguration() -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey),
            trustRoots: .certificates(roots))
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = Self.shutdownTimeout
        return configuration
    }

    /// For a client that shows this identity.
    package func clientConfiguration() -> TLSConfiguration {
        var configuration = Self.clientConfiguration(trusting: roots)
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(privateKey)
        return configuration
    }

    /// For a client without a certificate of its own that trusts the authority in `pem` and no other.
    package static func clientConfiguration(trustingPEM pem: String) throws(Failure) -> TLSConfiguration {
        try during("reading the authority's certificate") {
            clientConfiguration(trusting: try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)))
        }
    }

    private static func clientConfiguration(trusting roots: [NIOSSLCertificate]) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = Self.shutdownTimeout
        configuration.certificateVerification = .fullVerification
        configuration.trustRoots = .certificates(roots)
        return configuration
    }
}
