package import Platform

/// What a capture saw and what it could not have: every file that is not in the snapshot as it should be is counted,
/// and the first of them are named.
package struct CaptureReport: Sendable, Equatable {
    package struct Warning: Sendable, Equatable, CustomStringConvertible {
        package enum Kind: String, Sendable {
            /// It is not in the snapshot, or not whole: a permission, a disk error.
            case unreadable
            /// It changed while it was read: what is stored was never on the disk at one moment.
            case changed
            /// It was gone before it could be read. Nothing is missing that was there at the end.
            case vanished
            /// It was left out on purpose: a pseudo file system, another file system, a directory named so.
            case skipped
        }
        package var kind: Kind
        package var path: String
        package var reason: String
        package var description: String {
            if reason.isEmpty { return "\(kind): \(path)" }
            // What the system refused names the path by itself.
            return reason.contains(path) ? "\(kind): \(reason)" : "\(kind): \(path): \(reason)"
        }
    }

    package var files: UInt64 = 0
    package var directories: UInt64 = 0
    /// Those of them whose names could be read.
    package var listed: UInt64 = 0
    /// Symbolic links, FIFOs, sockets and devices.
    package var others: UInt64 = 0
    /// Of files and disks, with their holes: what a listing would add up to. A file with several names counts once.
    package var bytes: UInt64 = 0
    /// Bytes that were really read: holes and what was known to be unchanged cost nothing.
    package var bytesRead: UInt64 = 0
    /// Bytes of blocks that were taken over from an earlier snapshot, by the word of a change map.
    package var bytesInherited: UInt64 = 0
    /// Why a change map was of no use after all, so that the whole disk was read.
    package var wholeRead: Failure?
    package var unreadable: UInt64 = 0
    package var changed: UInt64 = 0
    package var vanished: UInt64 = 0
    /// Names that patterns or cache tags left out, with all below them.
    package private(set) var excluded: UInt64 = 0
    /// The first `mostExcluded` of them.
    package private(set) var firstExcluded: [String] = []
    /// The first `mostWarnings` of them.
    package private(set) var warnings: [Warning] = []

    package static let mostWarnings = 1000
    package static let mostExcluded = 20

    package init() {}

    /// Files that could not be read, or changed while they were.
    package var incomplete: UInt64 { unreadable + changed }
    package var isComplete: Bool { incomplete == 0 }

    /// Set when nothing at all was captured, not even the names in a directory: in words for a person. Of that alone
    /// no snapshot is worth making, since it would pass for a backup.
    package var emptiness: Failure? {
        guard files + others + listed == 0 else { return nil }
        let reasons = warnings.prefix(3).map(\.description).joined(separator: "; ")
        return Failure(
            .failed, "nothing of what was named could be captured (\(reasons))",
            advice: warnings.contains { $0.kind != .skipped }
                ? "Check its owner and mode, or run with more rights" : "Name what is to be backed up")
    }

    mutating func exclude(_ path: String) {
        excluded += 1
        if firstExcluded.count < Self.mostExcluded { firstExcluded.append(path) }
    }

    mutating func warn(_ kind: Warning.Kind, _ path: String, _ reason: String = "") {
        switch kind {
        case .unreadable: unreadable += 1
        case .changed: changed += 1
        case .vanished: vanished += 1
        case .skipped: break
        }
        if warnings.count < Self.mostWarnings { warnings.append(Warning(kind: kind, path: path, reason: reason)) }
    }
}
