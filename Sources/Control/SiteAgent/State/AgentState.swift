import Glibc
package import Model
package import Platform
package import Wire

/// Everything an agent keeps besides the vault, under one directory that only its owner may enter.
///
/// | name | content |
/// |---|---|
/// | `lock` | held while an agent runs: there is never a second one |
/// | `keys.json` | the agent's own private keys, made before it enrols and never changed |
/// | `identity.json` | certificate, key and what the coordinator said at enrolment |
/// | `heads/<vault>` | the newest head seen of each repository's log |
/// | `results/<job>` | work that is done and that the coordinator has not yet acknowledged |
/// | `files/<repository>/<desktop>` | what the last backup read, so that unchanged files are not read again |
/// | `runs/<run>/` | machines of recovery runs: overlays, sockets |
/// | `evidence/<run>/` | screenshots |
package final class AgentState: Sendable {
    package let path: String
    private let lock: Descriptor

    /// Makes it where it is not there, and takes it.
    /// - Throws: `.refused` when another agent has it, or when others may enter it.
    package init(_ path: String) throws(Failure) {
        self.path = path
        try PrivateFile.makeDirectory(path)
        let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        guard try directory.status().st_mode & 0o077 == 0 else {
            throw Failure(
                .refused, "Others than its owner may enter the state directory \(path)", advice: "chmod 700 \(path)")
        }
        lock = try Descriptor.open(path + "/lock", O_RDWR | O_CREAT)
        guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(.refused, "Another agent works with the state directory \(path)")
        }
        for name in ["heads", "results", "runs", "evidence"] { try PrivateFile.makeDirectory("\(path)/\(name)") }
    }

    /// What the coordinator and the agent agreed on at enrolment.
    package struct Enrolment: Codable, Sendable {
        package var agent: EnrolledAgent.ID
        package var site: Site
        package var coordinator: String
        package var key: String
        package var certificate: String
        package var authority: String

        package init(_ enrolled: Wire.Enrolment.Enrolled) {
            agent = enrolled.response.agent
            site = enrolled.response.site
            coordinator = enrolled.response.coordinator
            key = enrolled.identity.key
            certificate = enrolled.identity.certificate
            authority = enrolled.identity.authority
        }

        package func identity() throws(Failure) -> TLSIdentity {
            try TLSIdentity(key: key, certificate: certificate, authority: authority)
        }
    }

    /// - Throws: `.notFound` when nobody has enrolled here yet.
    package func enrolment() throws(Failure) -> Enrolment {
        guard let bytes = try PrivateFile.read(path + "/identity.json") else {
            throw Failure(
                .notFound, "This agent has not enrolled",
                advice: "Run breakwater-agent enrol with a token of the operator")
        }
        return try CanonicalJSON.decode(Enrolment.self, from: bytes, wrong: .damaged)
    }

    package func keep(_ enrolment: Enrolment) throws(Failure) {
        try PrivateFile.write(try CanonicalJSON.encode(enrolment), to: path + "/identity.json")
    }

    /// The agent's own keys, made at the first call.
    package func keys(_ surroundings: Surroundings) throws(Failure) -> AgentSecrets {
        let file = path + "/keys.json"
        if let bytes = try PrivateFile.read(file) {
            let kept = try CanonicalJSON.decode(AgentSecrets.Kept.self, from: bytes, wrong: .damaged)
            return try AgentSecrets(kept)
        }
        let kept = AgentSecrets.Kept(
            agreement: Octets(surroundings.random(32)), writer: Octets(surroundings.random(32)),
            site: Octets(surroundings.random(32)))
        let secrets = try AgentSecrets(kept)
        try PrivateFile.write(try CanonicalJSON.encode(kept), to: file)
        return secrets
    }

    package var results: ResultShelf { ResultShelf(directory: path + "/results") }
    package var heads: AgentHeads { AgentHeads(directory: path + "/heads") }
    package var filesFolder: String { path + "/files" }
    package func runFolder(_ run: RecoveryRun.ID) -> String { "\(path)/runs/\(run)" }
    package func evidenceFolder(_ run: RecoveryRun.ID) -> String { "\(path)/evidence/\(run)" }

    /// Folders of recovery runs left behind: their machines ended with the process that had started them.
    package func leftoverRuns() throws(Failure) -> [String] {
        try PrivateFile.names(in: path + "/runs").map { "\(path)/runs/\($0)" }
    }
}
