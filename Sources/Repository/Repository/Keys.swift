package import Platform
package import Sealing

/// What an opener of a repository holds, from nothing at all to everything.
package struct Keys: Sendable {
    /// Signs records and manifests.
    package struct Author: Sendable {
        package let key: SigningKey
        package let certificate: Statement
        package init(key: SigningKey, certificate: Statement) {
            self.key = key
            self.certificate = certificate
        }
    }

    /// The vault's own key: appends copies, voids, checkpoints, condemnations.
    package var site: SigningKey?
    /// Deduplicates and names.
    package var secret: WriterSecret?
    /// Writes.
    package var author: Author?
    /// Reads.
    package var readers: [ReaderKey] = []
    /// Owns.
    package var bundle: KeyBundle?

    package init() {}

    package static let none = Keys()

    /// Everything an owner holds; the author's key is made for this run and certified at once.
    package init(owning bundle: KeyBundle, surroundings: Surroundings) throws(Failure) {
        let key = try SigningKey(random: surroundings)
        self.bundle = bundle
        secret = WriterSecret(bundle.writerSecret, repository: bundle.repository)
        readers = bundle.readers
        author = Author(
            key: key,
            certificate: try bundle.certify(
                key.verifying, author: .random(surroundings), role: .writer, subject: .session))
    }

    /// What an agent is granted to back up: it can write and deduplicate, and can read nothing.
    package init(writerSecret: [UInt8], repository: RepositoryID, author: Author, site: SigningKey?) {
        secret = WriterSecret(writerSecret, repository: repository)
        self.author = author
        self.site = site
    }

    /// What an agent is granted to restore.
    package init(writerSecret: [UInt8], repository: RepositoryID, readers: [ReaderKey], site: SigningKey?) {
        secret = WriterSecret(writerSecret, repository: repository)
        self.readers = readers
        self.site = site
    }
}
