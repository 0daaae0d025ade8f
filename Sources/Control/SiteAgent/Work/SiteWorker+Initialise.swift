import Logging
import Model
import ObjectStore
import Platform
import Repository
import Sealing

extension SiteWorker {
    /// 1. The charter and the certificate of our site key are held against each other and against the order.
    /// 2. Where the repository stands already, with the same id and vault, it is done.
    /// 3. It is made; its genesis comes last.
    func initialise(
        _ work: InitialiseRepositoryWork, _ context: WorkContext
    ) throws(Failure) -> InitialiseRepositoryResult {
        let charter = try Self.statement(work.charter, "a charter")
        let vaultID = try Self.vaultID(work.repository.vaultID)
        guard case .charter(let content) = charter.content, charter.verifies(root: content.root),
            content.repository == (try Self.id(work.repository))
        else { throw Failure(.refused, "The charter is not that of repository \(work.repository.repository)") }
        let certified = try Self.statement(work.siteCertificate, "a site's certificate")
        guard case .certificate(let certificate) = certified.content, certified.verifies(root: content.root),
            certificate.role == .site, certificate.key == secrets.site.verifying, certificate.vault == vaultID
        else { throw Failure(.refused, "The site's certificate is not for this agent's key and this vault") }

        let store = try vault.make(work.repository.tenant)
        do throws(Failure) {
            _ = try Repository.create(
                in: store, charter: charter, slots: work.slot.map { [$0.bytes] } ?? [], site: secrets.site,
                vault: vaultID, surroundings: surroundings)
        } catch  where error.code == .exists {
            logger.info("The repository is there already", metadata: ["tenant": "\(work.repository.tenant)"])
        }
        let repository = try Repository.open(
            store, .keyless, expecting: try Self.id(work.repository), site: secrets.site,
            heads: try heads(work.repository), surroundings: surroundings, resources: resources)
        guard repository.vault == vaultID, repository.keys.site != nil else {
            throw Failure(
                .refused, "\(store.location) holds the repository under another vault's name or site key",
                advice: "It was made by somebody else: look at it before anything is written there")
        }
        return InitialiseRepositoryResult(head: Self.head(repository))
    }
}
