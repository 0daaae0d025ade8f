package import Model
package import Platform
package import Sealing

/// An agent's own private keys. They never leave its state directory; the coordinator knows their public halves.
package struct AgentSecrets: Sendable, CustomStringConvertible {
    /// As they lie in `keys.json`.
    struct Kept: Codable, Sendable {
        var agreement: Octets
        var writer: Octets
        var site: Octets
    }

    /// Opens key grants.
    private let agreement: ReaderKey
    /// Signs what the agent writes.
    package let writer: SigningKey
    /// Orders the repositories in the site's vault.
    package let site: SigningKey

    init(_ kept: Kept) throws(Failure) {
        agreement = try ReaderKey(generation: 0, secret: kept.agreement.bytes)
        writer = try SigningKey(seed: kept.writer.bytes)
        site = try SigningKey(seed: kept.site.bytes)
    }

    package var publicKeys: AgentKeys {
        AgentKeys(
            agreement: Octets(agreement.publicKey), writer: Octets(writer.verifying.bytes),
            site: Octets(site.verifying.bytes))
    }

    /// Opens a grant that is meant for this agent, this job and this repository.
    /// - Throws: `.refused` for any other, and for one whose time is over.
    package func open(
        _ grant: KeyGrant, for assignment: Assignment, agent: EnrolledAgent.ID, repository: String, now: Timestamp
    ) throws(Failure) -> GrantedKeys {
        guard grant.job == assignment.job, grant.agent == agent, grant.repository == repository,
            grant.purpose == assignment.work.kind.purpose
        else { throw Failure(.refused, "The \(grant) was made for something else than job \(assignment.job)") }
        guard now < grant.expires else {
            throw Failure(
                .refused, "The \(grant) has expired", advice: "See that the clocks of coordinator and agent agree")
        }
        let box = SealedBox(encapsulated: grant.encapsulated.bytes, ciphertext: grant.ciphertext.bytes)
        let plaintext: [UInt8]
        do {
            plaintext = try agreement.open(box, info: grant.info)
        } catch {
            throw Failure(.refused, "The \(grant) is not sealed to this agent's key")
        }
        return try CanonicalJSON.decode(GrantedKeys.self, from: plaintext, wrong: .damaged)
    }

    /// Nothing of what it holds.
    package var description: String { "an agent's keys" }
}
