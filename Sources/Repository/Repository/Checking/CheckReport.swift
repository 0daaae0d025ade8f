package import Platform
internal import Sealing

/// What a check found: a value, for people, for JSON, and for whoever repairs.
package struct CheckReport: Sendable, Equatable {
    /// One object that is not as it was written, or does not say what it should.
    package struct Finding: Sendable, Hashable {
        package enum Damage: String, Sendable, Hashable, CaseIterable {
            /// The log holds it, and it is not there.
            case missing
            /// Longer or shorter than the log says.
            case length
            /// Its bytes are not those its name promises.
            case altered
            /// One half of a log record.
            case half
            /// The store could not give its bytes, or, of a record, no half verifies.
            case unreadable
            /// Its bytes are those its name promises, and it does not open or cannot be understood.
            case unopenable
            /// A chunk is not the one its id promises: somebody wrote junk under a true id.
            case junk
            /// It says something else than what it describes.
            case contradicts
            /// A snapshot refers to a chunk that is in no pack of its sets.
            case unresolved
            /// In a folder of the repository, under a name that no object has.
            case malformedName
            /// From this record on another vault has mirrored another log: this one lost its end, and went on.
            case forked
        }

        /// How what is lost here can be had.
        package enum Recovery: Sendable, Hashable, CustomStringConvertible {
            /// Nothing is lost.
            case notNeeded
            /// The record's other half was used.
            case secondHalf
            /// From the packs' own tables; nothing is lost.
            case rebuiltFromPacks
            /// A set, which restores do without: a repair makes it anew from the log.
            case remadeFromLog
            /// The same: a repair may make it anew with the passphrase, or takes it from another vault.
            case perhapsRemade
            /// The same object lies here under another name, whole.
            case otherCopy(String)
            /// The vault at this place has it, whole.
            case otherVault(String)
            /// If another vault of the repository has it: none was named.
            case perhapsAnotherVault
            /// Not by any means at hand.
            case none

            package var description: String {
                switch self {
                case .notNeeded: "nothing is lost"
                case .secondHalf: "its other half was used"
                case .rebuiltFromPacks: "rebuilt from packs, nothing lost"
                case .remadeFromLog: "restores do without it, and `repair` makes it anew from the log"
                case .perhapsRemade:
                    "restores do without it, and `repair` makes it anew with the passphrase, or takes it from another vault"
                case .otherCopy(let path): "\(path) is whole"
                case .otherVault(let location): "\(location) has it whole"
                case .perhapsAnotherVault: "name another vault with --also"
                case .none: "no vault at hand has it whole"
                }
            }

            /// Whether restores lack it until another vault gives it.
            package var needsAnotherVault: Bool {
                switch self {
                case .notNeeded, .secondHalf, .rebuiltFromPacks, .remadeFromLog, .perhapsRemade, .otherCopy: false
                case .otherVault, .perhapsAnotherVault, .none: true
                }
            }
        }

        /// Its path in the vault, such as `packs/ab/...` or `log/0000000000000012`.
        package var object: String
        /// Nil for log records and for what has no proper name.
        package var name: ObjectName?
        package var damage: Damage
        /// A sentence without a full stop.
        package var meaning: String
        /// Ids of the snapshots that need it, ascending.
        package var snapshots: [Digest]
        package var recovery: Recovery
    }

    /// Ordered by object.
    package internal(set) var findings: [Finding] = []
    /// Objects that are not as they were written, and that nothing needs: no damage. Ordered by object.
    package internal(set) var unneeded: [Finding] = []
    /// Objects looked at, and the bytes read for it.
    package internal(set) var objects: UInt64 = 0
    package internal(set) var bytes: UInt64 = 0
    /// Objects of sessions that were never committed: no damage, a collector takes them.
    package internal(set) var orphans: UInt64 = 0
    package internal(set) var orphanBytes: UInt64 = 0
    /// What is in the vault and none of the repository's.
    package internal(set) var strangers: [String] = []
    /// Snapshots whose every reference was followed; without keys, snapshots whose objects were looked at.
    package internal(set) var snapshots: UInt64 = 0
    /// What a restore from the vaults at hand would not give, of snapshots that open, in the order of the log. Only with
    /// keys.
    package internal(set) var losses: [CheckLoss] = []
    /// How many losses more there are of a snapshot than `losses` holds.
    package internal(set) var lossesLeftOut: [Digest: UInt64] = [:]
    /// Bytes of disks that a snapshot takes from templates of a base repository, which was not named: not looked for.
    package internal(set) var elsewhere: [Digest: UInt64] = [:]
    /// Manifests that a writer of the repository signed, of recovery points that no record commits, ascending: a backup
    /// that died just before its commit, or a log that lost its end.
    package internal(set) var uncommitted: [Digest] = []
    /// Other branches of the log that vaults at hand have mirrored.
    package internal(set) var forks: [LogFork] = []
    /// How far a check by byte budget has come; nil for one of everything.
    package internal(set) var part: CheckPart?
    /// What is worth knowing and no damage, in sentences.
    package internal(set) var notes: [String] = []

    package init() {}

    package var isClean: Bool { findings.isEmpty }

    /// Every snapshot that some finding touches, ascending.
    package var snapshotsTouched: [Digest] { Set(findings.flatMap(\.snapshots)).sorted() }
}

extension CheckReport.Finding {
    /// Its bytes are not those that its name promises: then those that are can be put back. What is whole and wrong is as
    /// wrong everywhere.
    var isOfBytes: Bool { [.missing, .length, .altered, .unreadable].contains(damage) }
}
