package import Model
package import Platform
import Sealing

/// The keys of one tenant's repository, opened for a moment: it certifies agents and seals grants to them.
///
/// Agents get what their work needs and nothing more: a writer's certificate for their own key and the writer secret
/// for a backup, the private reader keys for a restore or a recovery only, the root's private half never.
package struct RepositoryKeys: Sendable, CustomStringConvertible {
    private let bundle: KeyBundle

    /// Keys of a new repository.
    package static func make(_ surroundings: Surroundings) throws(Failure) -> RepositoryKeys {
        RepositoryKeys(bundle: try KeyBundle.make(surroundings: surroundings))
    }

    /// What the keyring unwrapped.
    package init(_ bytes: [UInt8]) throws(Failure) { bundle = try KeyBundle(bytes) }

    private init(bundle: KeyBundle) { self.bundle = bundle }

    /// For the keyring only.
    var bytes: [UInt8] { bundle.bytes }

    /// 64 hexadecimal digits.
    package var repository: String { bundle.repository.description }

    /// The charter statement, encoded.
    package var charter: [UInt8] { CanonicalEncoder.bytes { bundle.charter.encode(to: &$0) } }

    /// The root's word that an agent's site key orders the vault.
    package func siteCertificate(
        for keys: AgentKeys, agent: EnrolledAgent.ID, vaultID: String
    ) throws(Failure) -> [UInt8] {
        guard let vault = VaultID(hex: vaultID) else { throw Failure(.damaged, "\"\(vaultID)\" is not a vault's name") }
        let statement = try bundle.certify(
            VerifyingKey(bytes: keys.site.bytes), author: author(agent, keys.site, "site"), role: .site,
            subject: .agent, vault: vault)
        return CanonicalEncoder.bytes { statement.encode(to: &$0) }
    }

    /// Seals what `purpose` needs to the agent, for one job and until `expires`.
    package func grant(
        _ purpose: KeyGrant.Purpose, to keys: AgentKeys, agent: EnrolledAgent.ID, job: Job.ID, expires: Timestamp
    ) throws(Failure) -> KeyGrant {
        let author = author(agent, keys.writer, "writer")
        let certificate = try bundle.certify(
            VerifyingKey(bytes: keys.writer.bytes), author: author, role: .writer, subject: .agent)
        let granted = GrantedKeys(
            charter: Octets(charter), writerSecret: Octets(bundle.writerSecret), author: author.hex,
            certificate: Octets(CanonicalEncoder.bytes { certificate.encode(to: &$0) }),
            readers: bundle.readers.map {
                GrantedKeys.Reader(
                    generation: $0.generation, publicKey: Octets($0.publicKey),
                    secret: purpose == .read ? Octets($0.secret) : nil)
            })
        let info = KeyGrant.info(
            purpose: purpose, repository: repository, job: job, agent: agent, expires: expires)
        let box = try SealedBox.seal(try CanonicalJSON.encode(granted), to: keys.agreement.bytes, info: info)
        return KeyGrant(
            purpose: purpose, repository: repository, job: job, agent: agent, expires: expires,
            encapsulated: Octets(box.encapsulated), ciphertext: Octets(box.ciphertext))
    }

    /// A slot for the vault that opens with `passphrase`, so that the repository can be read without a coordinator.
    /// Takes a while and 32 MiB (scrypt): call it on a thread of its own.
    package func slot(passphrase: [UInt8], _ surroundings: Surroundings) throws(Failure) -> [UInt8] {
        try Slot.wrap(bundle, passphrase: passphrase, surroundings: surroundings).bytes
    }

    /// The same agent with the same key is always the same author.
    private func author(_ agent: EnrolledAgent.ID, _ key: Octets, _ role: String) -> AuthorID {
        let name = Array("breakwater author v1\n\(repository)\n\(agent)\n\(role)\n".utf8) + key.bytes
        return AuthorID(truncating: SHA256.hash(name))
    }

    /// Nothing of what it holds.
    package var description: String { "keys of repository \(repository.prefix(8))" }
}
