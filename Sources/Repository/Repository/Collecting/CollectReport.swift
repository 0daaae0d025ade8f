package import Platform
package import Sealing

/// What a collector did: a value, for people, for JSON, and for tests.
package struct CollectReport: Sendable {
    package struct Share: Hashable, Sendable {
        package var objects: UInt64 = 0
        package var bytes: UInt64 = 0
        package init() {}
        mutating func add(_ length: UInt64) {
            objects += 1
            bytes += length
        }
    }

    /// A claim that was let go.
    package struct Released: Hashable, Sendable {
        package enum Why: String, Sendable {
            case asked, still, shortOfSpace
            /// A collector before this one held it to repack, and was killed or runs still: then it repacks later.
            case predecessor
        }
        package var claim: ClaimID
        package var scope: RecordBody.ClaimScope
        package var why: Why
    }

    /// An unfinished backup that was let go of: what it had stored is nobody's any more.
    package struct Abandoned: Hashable, Sendable {
        package var session: SessionID
        package var why: Released.Why
    }

    /// Condemned, and not deleted: the next run tries again.
    package struct Remaining: Sendable {
        package var object: ObjectRef
        package var problem: Failure
    }

    /// Condemned, and locked by the store until then: a run after that deletes it.
    package struct Locked: Hashable, Sendable {
        package var object: ObjectRef
        package var until: Timestamp
    }

    package internal(set) var stagesForgotten: UInt64 = 0
    package internal(set) var released: [Released] = []
    package internal(set) var abandoned: [Abandoned] = []
    package internal(set) var condemned = Share()
    package internal(set) var deleted = Share()
    package internal(set) var remaining: [Remaining] = []
    package internal(set) var locked: [Locked] = []
    package internal(set) var wroteCheckpoint = false
    package internal(set) var repacked = RepackReport()
    /// What lies in the vault now, by the log and by what was listed.
    package internal(set) var usage = VaultUsage()

    package init() {}
}
