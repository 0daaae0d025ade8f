package import Platform

/// One piece of work for the agent of one site, done once however often it is delivered.
package struct Job: Hashable, Sendable, Codable {
    package typealias ID = Label<Job>

    package var id: ID
    package var site: Site.ID
    package var tenant: Tenant.ID
    package var desktop: Desktop.ID?
    package var work: Work
    package var state: JobState
    /// The term of the last lease given; the next one gets a higher number.
    package var term: UInt64
    /// Leases that ran out or ended in a failure worth another try.
    package var attempts: Int
    package var attemptLimit: Int
    /// Not handed over before this: what failed a moment ago is left alone for a while.
    package var notBefore: Timestamp?
    package var progress: JobProgress?
    /// The recovery run this work belongs to.
    package var run: RecoveryRun.ID?
    package var created: Timestamp
    package var changed: Timestamp

    package var kind: Work.Kind { work.kind }

    package init(
        id: ID, site: Site.ID, tenant: Tenant.ID, desktop: Desktop.ID?, work: Work, run: RecoveryRun.ID? = nil,
        attemptLimit: Int = 5, created: Timestamp
    ) {
        self.id = id
        self.site = site
        self.tenant = tenant
        self.desktop = desktop
        self.work = work
        state = .queued
        term = 0
        attempts = 0
        self.attemptLimit = attemptLimit
        self.run = run
        self.created = created
        changed = created
    }
}

/// Where a job stands.
package enum JobState: Hashable, Sendable {
    /// Waits for its site's agent. -> leased, cancelled
    case queued
    /// Handed to an agent that has not yet been heard to work on it; it may be handed to the same agent again.
    /// -> running, queued (lease ran out, or a failure worth another try), done, failed, cancelling
    case leased(Lease)
    /// The agent has been heard. -> queued, done, failed, cancelling
    case running(Lease)
    /// Asked to stop; its agent does not know yet, or has not answered. -> cancelled, done, failed
    case cancelling(Lease)
    /// Over. -> nothing
    case done(WorkResult)
    case failed(WorkFailure)
    case cancelled

    /// The words of routes, tables and screens.
    package enum Name: String, Sendable, Codable, CaseIterable {
        case queued, leased, running, cancelling, done, failed, cancelled
    }

    package var name: Name {
        switch self {
        case .queued: .queued
        case .leased: .leased
        case .running: .running
        case .cancelling: .cancelling
        case .done: .done
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }

    package var lease: Lease? {
        switch self {
        case .leased(let lease), .running(let lease), .cancelling(let lease): lease
        case .queued, .done, .failed, .cancelled: nil
        }
    }

    package var isOver: Bool {
        switch self {
        case .done, .failed, .cancelled: true
        case .queued, .leased, .running, .cancelling: false
        }
    }
}

/// An agent's right to work on a job until it expires. A report under another term is refused.
package struct Lease: Hashable, Sendable, Codable {
    package var term: UInt64
    package var agent: EnrolledAgent.ID
    package var expires: Timestamp

    package init(term: UInt64, agent: EnrolledAgent.ID, expires: Timestamp) {
        self.term = term
        self.agent = agent
        self.expires = expires
    }
}

extension JobState: Codable {
    private enum Key: String, CodingKey { case name, lease, result, failure }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decode(Name.self, forKey: .name) {
        case .queued: self = .queued
        case .leased: self = .leased(try container.decode(Lease.self, forKey: .lease))
        case .running: self = .running(try container.decode(Lease.self, forKey: .lease))
        case .cancelling: self = .cancelling(try container.decode(Lease.self, forKey: .lease))
        case .done: self = .done(try container.decode(WorkResult.self, forKey: .result))
        case .failed: self = .failed(try container.decode(WorkFailure.self, forKey: .failure))
        case .cancelled: self = .cancelled
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: .name)
        switch self {
        case .queued, .cancelled: break
        case .leased(let lease), .running(let lease), .cancelling(let lease):
            try container.encode(lease, forKey: .lease)
        case .done(let result): try container.encode(result, forKey: .result)
        case .failed(let failure): try container.encode(failure, forKey: .failure)
        }
    }
}
