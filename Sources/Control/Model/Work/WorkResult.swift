package import Platform

/// What work that is done has brought about.
package enum WorkResult: Hashable, Sendable {
    case initialiseRepository(InitialiseRepositoryResult)
    case backup(BackupResult)
    case replicate(ReplicateResult)
    case restore(RestoreResult)
    case recover(RecoveryEvidence)
    case stopMachine
    case check(CheckResult)

    package var kind: Work.Kind {
        switch self {
        case .initialiseRepository: .initialiseRepository
        case .backup: .backup
        case .replicate: .replicate
        case .restore: .restore
        case .recover: .recover
        case .stopMachine: .stopMachine
        case .check: .check
        }
    }

    /// Where the log of the repository worked on now ends.
    package var head: LogHead? {
        switch self {
        case .initialiseRepository(let result): result.head
        case .backup(let result): result.head
        case .replicate(let result): result.head
        case .check(let result): result.head
        case .restore, .recover, .stopMachine: nil
        }
    }
}

package struct InitialiseRepositoryResult: Hashable, Sendable, Codable {
    package var head: LogHead
    package init(head: LogHead) { self.head = head }
}

package struct BackupResult: Hashable, Sendable, Codable {
    package var snapshot: String
    /// When the backup began to read.
    package var taken: Timestamp
    package var hasDisk: Bool
    package var hasFiles: Bool
    package var bytes: UInt64
    package var storedBytes: UInt64
    package var files: UInt64
    package var milliseconds: UInt64
    /// Files that changed while they were read, or could not be: the backup stands without their newest state.
    package var warnings: [String]
    package var head: LogHead

    package init(
        snapshot: String, taken: Timestamp, hasDisk: Bool, hasFiles: Bool, bytes: UInt64, storedBytes: UInt64,
        files: UInt64, milliseconds: UInt64, warnings: [String], head: LogHead
    ) {
        self.snapshot = snapshot
        self.taken = taken
        self.hasDisk = hasDisk
        self.hasFiles = hasFiles
        self.bytes = bytes
        self.storedBytes = storedBytes
        self.files = files
        self.milliseconds = milliseconds
        self.warnings = warnings
        self.head = head
    }
}

package struct ReplicateResult: Hashable, Sendable, Codable {
    /// Every snapshot that the copy now holds, newest last; the newest 1000 where there are more.
    package var snapshots: [String]
    package var copiedBytes: UInt64
    package var objects: UInt64
    package var milliseconds: UInt64
    package var head: LogHead
    /// Snapshots that could not be copied as they lie at the origin; the others were.
    package var warnings: [String]

    package init(
        snapshots: [String], copiedBytes: UInt64, objects: UInt64, milliseconds: UInt64, head: LogHead,
        warnings: [String] = []
    ) {
        self.snapshots = snapshots
        self.copiedBytes = copiedBytes
        self.objects = objects
        self.milliseconds = milliseconds
        self.head = head
        self.warnings = warnings
    }
}

package struct RestoreResult: Hashable, Sendable, Codable {
    package var bytes: UInt64
    package var files: UInt64
    package var milliseconds: UInt64
    package var warnings: [String]

    package init(bytes: UInt64, files: UInt64, milliseconds: UInt64, warnings: [String]) {
        self.bytes = bytes
        self.files = files
        self.milliseconds = milliseconds
        self.warnings = warnings
    }
}

package struct CheckResult: Hashable, Sendable, Codable {
    /// Names of damaged objects, and the snapshots they touch.
    package var damaged: [String]
    package var snapshotsTouched: [String]
    package var objects: UInt64
    package var bytesRead: UInt64
    package var milliseconds: UInt64
    package var head: LogHead

    package init(
        damaged: [String], snapshotsTouched: [String], objects: UInt64, bytesRead: UInt64, milliseconds: UInt64,
        head: LogHead
    ) {
        self.damaged = damaged
        self.snapshotsTouched = snapshotsTouched
        self.objects = objects
        self.bytesRead = bytesRead
        self.milliseconds = milliseconds
        self.head = head
    }
}

extension WorkResult: Checked {
    package func check() throws(Failure) {
        try head?.check()
        switch self {
        case .initialiseRepository, .stopMachine: break
        case .backup(let result):
            try Bounds.hexadecimal(result.snapshot, "A snapshot", bytes: 4...32)
            try Self.check(warnings: result.warnings)
            try Self.check(figures: [result.bytes, result.storedBytes, result.files, result.milliseconds])
        case .replicate(let result):
            try Bounds.list(result.snapshots.count, "Copied snapshots")
            for snapshot in result.snapshots { try Bounds.hexadecimal(snapshot, "A snapshot", bytes: 4...32) }
            try Self.check(warnings: result.warnings)
            try Self.check(figures: [result.copiedBytes, result.objects, result.milliseconds])
        case .restore(let result):
            try Self.check(warnings: result.warnings)
            try Self.check(figures: [result.bytes, result.files, result.milliseconds])
        case .recover(let evidence): try evidence.check()
        case .check(let result):
            try Self.check(warnings: result.damaged)
            try Self.check(warnings: result.snapshotsTouched)
            try Self.check(figures: [result.objects, result.bytesRead, result.milliseconds])
        }
    }

    private static func check(warnings: [String]) throws(Failure) {
        try Bounds.list(warnings.count, "Findings")
        for warning in warnings {
            guard warning.utf8.count <= Bounds.path else { throw Failure(.usage, "A finding is too long") }
        }
    }

    private static func check(figures: [UInt64]) throws(Failure) {
        guard figures.allSatisfy({ $0 <= UInt64(Int64.max) }) else { throw Failure(.usage, "A figure is too large") }
    }
}

extension WorkResult: Codable {
    private enum Key: String, CodingKey { case kind, details }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try Work.Kind(named: container.decode(String.self, forKey: .kind)) {
        case .initialiseRepository:
            self = .initialiseRepository(try container.decode(InitialiseRepositoryResult.self, forKey: .details))
        case .backup: self = .backup(try container.decode(BackupResult.self, forKey: .details))
        case .replicate: self = .replicate(try container.decode(ReplicateResult.self, forKey: .details))
        case .restore: self = .restore(try container.decode(RestoreResult.self, forKey: .details))
        case .recover: self = .recover(try container.decode(RecoveryEvidence.self, forKey: .details))
        case .stopMachine: self = .stopMachine
        case .check: self = .check(try container.decode(CheckResult.self, forKey: .details))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .initialiseRepository(let details): try container.encode(details, forKey: .details)
        case .backup(let details): try container.encode(details, forKey: .details)
        case .replicate(let details): try container.encode(details, forKey: .details)
        case .restore(let details): try container.encode(details, forKey: .details)
        case .recover(let details): try container.encode(details, forKey: .details)
        case .stopMachine: break
        case .check(let details): try container.encode(details, forKey: .details)
        }
    }
}
