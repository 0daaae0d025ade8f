package import Platform

/// One link of the audit journal: who did what, when, from where; and the hash that ties it to the link before.
package struct JournalEntry: Hashable, Sendable, Codable {
    /// From 1, without gaps.
    package var sequence: UInt64
    /// 64 hexadecimal digits; zeros for the first entry.
    package var previous: String
    package var event: JournalEvent
    /// SHA-256 of the sequence, the previous hash and the event's canonical JSON.
    package var hash: String

    package init(sequence: UInt64, previous: String, event: JournalEvent, hash: String) {
        self.sequence = sequence
        self.previous = previous
        self.event = event
        self.hash = hash
    }
}

/// What is written down about an operation. Never a secret, never content.
package struct JournalEvent: Hashable, Sendable, Codable {
    package var when: Timestamp
    package var actor: Actor
    /// `noun.verb`: `job.leased`, `tenant.created`.
    package var what: String
    /// The id of what it was done to.
    package var subject: String
    package var tenant: Tenant.ID?
    package var details: [String: String]

    package init(
        when: Timestamp, actor: Actor, what: String, subject: String, tenant: Tenant.ID? = nil,
        details: [String: String] = [:]
    ) {
        self.when = when
        self.actor = actor
        self.what = what
        self.subject = subject
        self.tenant = tenant
        self.details = details
    }
}

/// Who did it, and from where.
package struct Actor: Hashable, Sendable, Codable {
    package enum Kind: String, Sendable, Codable { case `operator`, agent, coordinator }
    package var kind: Kind
    package var name: String
    /// The address of the caller; empty for the coordinator itself.
    package var address: String

    package init(kind: Kind, name: String, address: String = "") {
        self.kind = kind
        self.name = name
        self.address = address
    }

    package static let coordinator = Actor(kind: .coordinator, name: "coordinator")
}

/// What checking the chain found.
package struct JournalVerdict: Hashable, Sendable, Codable {
    package var entries: UInt64
    /// Hash of the last entry that holds.
    package var head: String
    /// The first entry that does not follow from those before it, and why.
    package var broken: Break?

    package struct Break: Hashable, Sendable, Codable {
        package var sequence: UInt64
        package var reason: String
        package init(sequence: UInt64, reason: String) {
            self.sequence = sequence
            self.reason = reason
        }
    }

    package init(entries: UInt64, head: String, broken: Break?) {
        self.entries = entries
        self.head = head
        self.broken = broken
    }
}
