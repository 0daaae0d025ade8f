package import Platform

/// What a machine needs to back up and nothing more: a key, the root's certificate that it may write, and the secret by
/// which content is found again. Whoever holds it can add to the repository, and read nothing of it.
///
/// As a file: a line that says what it is, and a line of hexadecimal digits.
package struct WriterFile: Sendable {
    package let name: String
    package let key: SigningKey
    package let certificate: Statement
    package let secret: [UInt8]

    package static let largest = 8192
    package static let longestName = 255
    private static let title = "breakwater writer 1"

    /// Issues a writer's certificate for a fresh key.
    package init(name: String, of bundle: KeyBundle, surroundings: Surroundings) throws(Failure) {
        self.name = name
        key = try SigningKey(random: surroundings)
        certificate = try bundle.certify(
            key.verifying, author: bundle.writer(named: name), role: .writer, subject: .agent)
        secret = bundle.writerSecret
    }

    package var repository: RepositoryID { certificate.repository }

    /// Who signs with it; nil never for a file that was read or issued.
    package var author: AuthorID? {
        if case .certificate(let content) = certificate.content { content.author } else { nil }
    }

    package var text: String {
        let bytes = CanonicalEncoder.bytes {
            $0.text(name)
            $0.raw(key.seed)
            $0.raw(secret)
            certificate.encode(to: &$0)
        }
        return "\(Self.title)\n\(Hex.encode(bytes))\n"
    }

    /// - Throws: `.damaged` for a text that is no writer's file. Nothing of it is in the error: it is a secret.
    package init(text: String) throws(Failure) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, lines[0] == Self.title, lines[2].isEmpty, let bytes = Hex.decode(String(lines[1]))
        else {
            throw Failure(.damaged, "it is no writer's file of version 1")
        }
        var decoder = CanonicalDecoder(bytes, "a writer's file")
        name = try decoder.text(atMost: Self.longestName)
        key = try SigningKey(seed: try decoder.raw(32))
        secret = try decoder.raw(32)
        certificate = try Statement(from: &decoder)
        try decoder.finish()
        guard case .certificate(let content) = certificate.content, content.role == .writer,
            content.key == key.verifying
        else { throw decoder.malformed("its certificate is not of its key") }
    }
}
