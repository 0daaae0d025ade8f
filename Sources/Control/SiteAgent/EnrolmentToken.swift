import Model
package import Platform
import Wire

/// What an operator hands over in a file: the secret alone, or the coordinator's answer as JSON, which names the
/// authority besides.
package struct EnrolmentToken: Sendable, CustomStringConvertible {
    package let secret: String
    private let authority: String?

    package init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        if bytes.first == UInt8(ascii: "{") {
            let issued = try CanonicalJSON.decode(IssuedToken.self, from: bytes, wrong: .usage)
            (secret, authority) = (issued.token, issued.authority)
        } else {
            let words = text.split(whereSeparator: \.isWhitespace)
            guard words.count == 1, let word = words.first else {
                throw Failure(
                    .usage, "The token file holds no token", advice: "It is one word, or the JSON of the order")
            }
            (secret, authority) = (String(word), nil)
        }
    }

    /// Which authority is to be trusted.
    /// - Throws: `.refused` when configuration and token name two, `.usage` when neither names one.
    package func fingerprint(configured: String?) throws(Failure) -> Digest {
        if let configured, let authority, configured != authority {
            throw Failure(
                .refused, "The configuration and the token name different authorities",
                advice: "Compare both with what `breakwater agent token` printed")
        }
        guard let text = configured ?? authority, let digest = Digest(hex: text) else {
            throw Failure(
                .usage, "Nothing says which authority to trust",
                advice: "Put its fingerprint into the configuration as `authority`")
        }
        return digest
    }

    /// Nothing of the secret.
    package var description: String { "an enrolment token" }
}
