package import Platform

/// The addresses of the agent interface. All but `enrol` are reached over mutual TLS only, as the agent whose
/// certificate is shown.
package enum AgentRoute {
    /// POST `EnrolRequest` -> `EnrolResponse`. On the operators' listener: the caller has no certificate yet.
    package static let enrol = "/v1/enrol"
    /// POST `PollRequest` -> `PollResponse`.
    package static let poll = "/v1/agent/poll"
    /// POST `HeartbeatRequest` -> `HeartbeatResponse`.
    package static let heartbeat = "/v1/agent/heartbeat"
    /// POST `ReportRequest` -> `ReportResponse`.
    package static let report = "/v1/agent/report"

    /// The longest a poll is held, in seconds; clients wait a little longer for the answer.
    package static let longestPollSeconds = 25
    /// The version of these messages. Another one is refused with words.
    package static let version = 1

    package static func check(version: Int) throws(Failure) {
        guard version == Self.version else {
            throw Failure(
                .refused, "messages of version \(version) are not understood here, only of version \(Self.version)",
                advice: "Bring coordinator and agents to the same version")
        }
    }
}

/// What an agent sends once, with the token an operator gave it.
package struct EnrolRequest: Sendable, Codable, Checked {
    package var version: Int
    /// The secret part of the token. Never logged.
    package var token: String
    /// PKCS #10 in PEM, signed with the key of the certificate to be.
    package var signingRequest: String
    package var keys: AgentKeys
    /// The program's version, for people.
    package var program: String

    package init(token: String, signingRequest: String, keys: AgentKeys, program: String) {
        version = AgentRoute.version
        self.token = token
        self.signingRequest = signingRequest
        self.keys = keys
        self.program = program
    }

    package func check() throws(Failure) {
        try AgentRoute.check(version: version)
        try Bounds.text(token, "The token", atMost: 200)
        try Bounds.pem(signingRequest, "The signing request")
        try keys.check()
        try Bounds.text(program, "The program's version", atMost: 100)
    }
}

package struct EnrolResponse: Sendable, Codable, Checked {
    package var agent: EnrolledAgent.ID
    package var site: Site
    /// PEM.
    package var certificate: String
    package var authority: String
    /// `https://host:port` of the listener for agents.
    package var coordinator: String

    package init(
        agent: EnrolledAgent.ID, site: Site, certificate: String, authority: String, coordinator: String
    ) {
        self.agent = agent
        self.site = site
        self.certificate = certificate
        self.authority = authority
        self.coordinator = coordinator
    }

    package func check() throws(Failure) {
        try site.check()
        try Bounds.pem(certificate, "The certificate")
        try Bounds.pem(authority, "The authority's certificate")
        try Bounds.text(coordinator, "The coordinator's address", atMost: 300)
    }
}

/// A job under one lease.
package struct LeasedJob: Hashable, Sendable, Codable {
    package var job: Job.ID
    package var term: UInt64

    package init(job: Job.ID, term: UInt64) {
        self.job = job
        self.term = term
    }
}

/// "Here I am, this is what I am working on, I can take so many more." Held until there is something to say, at most
/// `seconds`. A job that was handed over and stands in nobody's `working` is handed over again, under the same term.
package struct PollRequest: Sendable, Codable, Checked {
    package var version: Int
    package var working: [LeasedJob]
    /// How many more assignments the agent would take now.
    package var room: Int
    /// How long it would wait, in seconds.
    package var seconds: Int
    package var program: String

    package init(working: [LeasedJob], room: Int, seconds: Int, program: String) {
        version = AgentRoute.version
        self.working = working
        self.room = room
        self.seconds = seconds
        self.program = program
    }

    package func check() throws(Failure) {
        try AgentRoute.check(version: version)
        try Bounds.list(working.count, "Jobs in work", atMost: 256)
        guard (0...64).contains(room), (0...3600).contains(seconds) else {
            throw Failure(.usage, "A poll with room for \(room) and \(seconds) seconds of patience cannot be meant")
        }
        try Bounds.text(program, "The program's version", atMost: 100)
    }
}

package struct PollResponse: Sendable, Codable, Checked {
    package var assignments: [Assignment]
    /// Among `working`: asked to stop, or no longer the agent's. The agent stops and reports nothing but what is so.
    package var stop: [LeasedJob]

    package init(assignments: [Assignment], stop: [LeasedJob]) {
        self.assignments = assignments
        self.stop = stop
    }

    package func check() throws(Failure) {
        try Bounds.list(assignments.count, "Assignments", atMost: 64)
        for assignment in assignments { try assignment.check() }
    }
}

/// Work handed to an agent under a lease.
package struct Assignment: Hashable, Sendable, Codable, Checked {
    package var job: Job.ID
    package var term: UInt64
    /// The lease runs out this long after the last heartbeat that was accepted. Seconds, so that no two clocks need
    /// agree; heartbeats every third of it.
    package var leaseSeconds: Int
    package var work: Work
    package var grant: KeyGrant?

    package init(job: Job.ID, term: UInt64, leaseSeconds: Int, work: Work, grant: KeyGrant?) {
        self.job = job
        self.term = term
        self.leaseSeconds = leaseSeconds
        self.work = work
        self.grant = grant
    }

    package func check() throws(Failure) {
        guard (1...3600).contains(leaseSeconds) else {
            throw Failure(.usage, "A lease of \(leaseSeconds) seconds cannot be meant")
        }
        try work.check()
    }
}

package struct HeartbeatRequest: Sendable, Codable, Checked {
    package var version: Int
    package var job: Job.ID
    package var term: UInt64
    package var progress: JobProgress

    package init(job: Job.ID, term: UInt64, progress: JobProgress) {
        version = AgentRoute.version
        self.job = job
        self.term = term
        self.progress = progress
    }

    package func check() throws(Failure) {
        try AgentRoute.check(version: version)
        try progress.check()
    }
}

package struct HeartbeatResponse: Sendable, Codable {
    package enum Verdict: String, Sendable, Codable {
        /// The lease is good for another `leaseSeconds`.
        case goOn
        /// Somebody cancelled the job: stop, and report `cancelled`.
        case cancel
        /// The lease is lost: stop, and report nothing.
        case lost
    }
    package var verdict: Verdict
    package init(verdict: Verdict) { self.verdict = verdict }
}

/// How an agent's work on a job ended.
package struct ReportRequest: Sendable, Codable, Checked {
    package enum Outcome: Hashable, Sendable {
        case done(WorkResult)
        case failed(WorkFailure)
        case cancelled
    }

    package var version: Int
    package var job: Job.ID
    package var term: UInt64
    package var outcome: Outcome

    package init(job: Job.ID, term: UInt64, outcome: Outcome) {
        version = AgentRoute.version
        self.job = job
        self.term = term
        self.outcome = outcome
    }

    package func check() throws(Failure) {
        try AgentRoute.check(version: version)
        switch outcome {
        case .done(let result): try result.check()
        case .failed(let failure): try failure.check()
        case .cancelled: break
        }
    }
}

extension ReportRequest.Outcome: Codable {
    private enum Key: String, CodingKey { case outcome, result, failure }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let name = try container.decode(String.self, forKey: .outcome)
        switch name {
        case "done": self = .done(try container.decode(WorkResult.self, forKey: .result))
        case "failed": self = .failed(try container.decode(WorkFailure.self, forKey: .failure))
        case "cancelled": self = .cancelled
        default: throw Failure(.refused, "an outcome called \"\(name.prefix(80))\" is unknown to this program")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .done(let result):
            try container.encode("done", forKey: .outcome)
            try container.encode(result, forKey: .result)
        case .failed(let failure):
            try container.encode("failed", forKey: .outcome)
            try container.encode(failure, forKey: .failure)
        case .cancelled: try container.encode("cancelled", forKey: .outcome)
        }
    }
}

/// The report counts, or counted before: the agent may forget the job. A report under an old term is refused with 403.
package struct ReportResponse: Sendable, Codable {
    /// False when the same report had been taken before.
    package var first: Bool
    package init(first: Bool) { self.first = first }
}
