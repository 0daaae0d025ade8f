package import Platform

/// How to bring one desktop up at another site. This first form is narrow: one member, unplanned.
package struct RecoveryPlan: Hashable, Sendable, Codable, Checked {
    package var desktop: Desktop.ID
    package var site: Site.ID
    package var probe: Probe
    package var accelerator: AcceleratorChoice

    package init(desktop: Desktop.ID, site: Site.ID, probe: Probe, accelerator: AcceleratorChoice) {
        self.desktop = desktop
        self.site = site
        self.probe = probe
        self.accelerator = accelerator
    }

    package func check() throws(Failure) { try probe.check() }
}

/// What proves that a desktop is up: a line on its console, and an answer on a port or from its guest agent.
package struct Probe: Hashable, Sendable, Codable, Checked {
    /// The ready line starts with this; empty when the console says nothing.
    package var readyLine: String
    /// Guest port that must answer.
    package var port: Int?
    package var deadlineSeconds: Int

    package init(readyLine: String, port: Int?, deadlineSeconds: Int = 120) {
        self.readyLine = readyLine
        self.port = port
        self.deadlineSeconds = deadlineSeconds
    }

    package func check() throws(Failure) {
        try Bounds.text(readyLine, "A ready line", atMost: Bounds.title)
        guard (1...3600).contains(deadlineSeconds) else {
            throw Failure(.usage, "A probe's deadline of \(deadlineSeconds) seconds lies outside 1...3600")
        }
        if let port, !(1...65535).contains(port) { throw Failure(.usage, "A probe's port lies outside 1...65535") }
    }
}

/// One execution of a plan, with its times: what the measured RTO and RPO are read from.
package struct RecoveryRun: Hashable, Sendable, Codable {
    package typealias ID = Label<RecoveryRun>
    package enum Kind: String, Sendable, Codable { case unplanned }

    package var id: ID
    package var kind: Kind
    package var tenant: Tenant.ID
    package var plan: RecoveryPlan
    package var point: RecoveryPoint.ID
    package var snapshot: String
    /// The recovery point's own time; what was written after it is lost.
    package var pointTaken: Timestamp
    package var state: State
    package var times: Times
    package var evidence: RecoveryEvidence?
    package var failure: WorkFailure?

    package enum State: String, Sendable, Codable, CaseIterable {
        /// Somebody said that the site is lost. -> starting, failed, cleaning
        case declared
        /// An agent has been told to start the machine. -> probing, ready, failed, cleaning
        case starting
        /// The machine runs; its answer is awaited. -> ready, failed, cleaning
        case probing
        /// It has answered. -> cleaning
        case ready
        /// It did not come up. -> cleaning
        case failed
        /// The machine is being stopped. -> cleanedUp, failed
        case cleaning
        /// Nothing of the run is left but its record. -> nothing
        case cleanedUp
    }

    package struct Times: Hashable, Sendable, Codable {
        package var declared: Timestamp
        package var starting: Timestamp?
        package var probing: Timestamp?
        package var ready: Timestamp?
        package var failed: Timestamp?
        package var cleanedUp: Timestamp?
        package init(declared: Timestamp) { self.declared = declared }
    }

    package init(
        id: ID, kind: Kind, tenant: Tenant.ID, plan: RecoveryPlan, point: RecoveryPoint.ID, snapshot: String,
        pointTaken: Timestamp, declared: Timestamp
    ) {
        self.id = id
        self.kind = kind
        self.tenant = tenant
        self.plan = plan
        self.point = point
        self.snapshot = snapshot
        self.pointTaken = pointTaken
        state = .declared
        times = Times(declared: declared)
    }

    /// Recovery time reached: from declaration to ready, in milliseconds.
    package var recoveryMilliseconds: Int64? {
        times.ready.map { ($0.nanoseconds - times.declared.nanoseconds) / 1_000_000 }
    }

    /// Data lost: from the recovery point to the declaration, in milliseconds.
    package var lossMilliseconds: Int64 { (times.declared.nanoseconds - pointTaken.nanoseconds) / 1_000_000 }
}

/// What the agent saw of a started desktop.
package struct RecoveryEvidence: Hashable, Sendable, Codable, Checked {
    package var readyLine: String
    /// What answered: "tcp 8022", "guest agent".
    package var answeredBy: String
    /// When the machine's process began, the ready line came and the probe was answered, by the agent's clock.
    package var started: Timestamp
    package var readyLineAt: Timestamp?
    package var answered: Timestamp
    /// Monotonic, measured by the agent from receiving the assignment to the answer.
    package var milliseconds: UInt64
    /// At the agent.
    package var screenshot: String?
    /// What really ran the machine: `kvm` or `tcg`.
    package var accelerator: String
    /// `port -> 127.0.0.1:port` and the like, for people who want to reach the machine.
    package var reach: [String]

    package init(
        readyLine: String, answeredBy: String, started: Timestamp, readyLineAt: Timestamp?, answered: Timestamp,
        milliseconds: UInt64, screenshot: String?, accelerator: String, reach: [String]
    ) {
        self.readyLine = readyLine
        self.answeredBy = answeredBy
        self.started = started
        self.readyLineAt = readyLineAt
        self.answered = answered
        self.milliseconds = milliseconds
        self.screenshot = screenshot
        self.accelerator = accelerator
        self.reach = reach
    }

    package func check() throws(Failure) {
        try Bounds.text(readyLine, "The ready line", atMost: 1000)
        try Bounds.text(answeredBy, "What answered", atMost: Bounds.title)
        try Bounds.text(accelerator, "The accelerator", atMost: 32)
        if let screenshot { try Bounds.absolutePath(screenshot, "The screenshot") }
        try Bounds.list(reach.count, "Ways to reach a machine", atMost: 64)
        for way in reach { try Bounds.text(way, "A way to reach a machine", atMost: Bounds.title) }
    }
}
