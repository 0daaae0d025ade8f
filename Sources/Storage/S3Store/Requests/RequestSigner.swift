internal import Crypto
internal import Foundation
package import Platform

/// AWS Signature Version 4 for S3, in headers ("Authenticating Requests: Using the Authorization Header", Amazon S3 API
/// reference): every header that is sent is signed, and so is the hash of the body.
package struct RequestSigner: Sendable {
    let credentials: Credentials
    let region: String

    package init(credentials: Credentials, region: String) {
        self.credentials = credentials
        self.region = region
    }

    /// What is signed of a request.
    package struct Request {
        var method: String
        /// With its port, unless that is the scheme's own.
        var host: String
        /// As it stands on the wire.
        var path: String
        /// As they stand on the wire, in the order of names.
        var query: String
        /// Names in lower case.
        var headers: [(name: String, value: String)]
        /// SHA-256 of the body in hexadecimal.
        var payload: String

        package init(
            method: String, host: String, path: String, query: String, headers: [(name: String, value: String)],
            payload: String
        ) {
            self.method = method
            self.host = host
            self.path = path
            self.query = query
            self.headers = headers
            self.payload = payload
        }
    }

    /// Every header of the request, in no particular order, the signature among them.
    package func headers(of request: Request, at time: Timestamp) -> [(name: String, value: String)] {
        let stamp = Self.stamp(time)
        var headers = request.headers
        headers.append(("host", request.host))
        headers.append(("x-amz-content-sha256", request.payload))
        headers.append(("x-amz-date", stamp))
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        headers.sort { $0.name < $1.name }

        // 1. The canonical request.
        let signed = headers.map(\.name).joined(separator: ";")
        let canonical = [
            request.method, request.path, request.query, headers.map { "\($0.name):\($0.value)\n" }.joined(), signed,
            request.payload,
        ].joined(separator: "\n")
        // 2. The string to sign.
        let day = String(stamp.prefix(8))
        let scope = "\(day)/\(region)/s3/aws4_request"
        let text = ["AWS4-HMAC-SHA256", stamp, scope, Self.hex(Crypto.SHA256.hash(data: Data(canonical.utf8)))]
            .joined(separator: "\n")
        // 3. The key of that day, place and service.
        var key = SymmetricKey(data: Data("AWS4\(credentials.secret)".utf8))
        for part in [day, region, "s3", "aws4_request"] { key = SymmetricKey(data: Self.authenticate(part, key)) }
        // 4. The signature.
        let signature = Self.hex(Self.authenticate(text, key))
        headers.append(
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope),SignedHeaders=\(signed),"
                    + "Signature=\(signature)"
            ))
        return headers
    }

    private static func authenticate(_ text: String, _ key: SymmetricKey) -> HMAC<Crypto.SHA256>.MAC {
        HMAC<Crypto.SHA256>.authenticationCode(for: Data(text.utf8), using: key)
    }

    /// `20261127T111534Z`.
    static func stamp(_ time: Timestamp) -> String {
        let utc = time.utc
        return utc.prefix { $0 != "." }.filter { $0 != "-" && $0 != ":" } + "Z"
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String { Hex.encode(bytes) }
}
