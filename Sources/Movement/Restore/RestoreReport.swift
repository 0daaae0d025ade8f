package import Platform

/// What a restore delivered, and by name what it did not.
package struct RestoreReport: Sendable {
    package struct Problem: Sendable, CustomStringConvertible {
        package var path: String
        package var failure: Failure
        package var description: String { "\(path): \(failure)" }
    }

    package var files: UInt64 = 0
    package var directories: UInt64 = 0
    /// Symbolic links, FIFOs, sockets and devices.
    package var others: UInt64 = 0
    /// Bytes of the files delivered, with their holes.
    package var bytes: UInt64 = 0
    /// Bytes written: holes are not.
    package var bytesWritten: UInt64 = 0
    /// Files that stood already as they should.
    package var unchanged: UInt64 = 0
    /// Temporary files of a restore that was killed, which were taken away.
    package var leftovers: UInt64 = 0
    /// Files, links and directories that were not delivered, or not whole.
    package private(set) var lost: UInt64 = 0
    /// Those of them in whose place something else stands.
    private var hindered: UInt64 = 0
    /// Owners, modes and attributes that could not be set; the content is right.
    package private(set) var attributesLost: UInt64 = 0
    /// The first `mostProblems` of both kinds.
    package private(set) var problems: [Problem] = []

    package static let mostProblems = 1000

    package init() {}

    mutating func lose(_ path: String, _ failure: Failure) {
        lost += 1
        if failure.code == .exists { hindered += 1 }
        keep(path, failure)
    }

    mutating func loseAttribute(_ path: String, _ failure: Failure) {
        attributesLost += 1
        keep(path, failure)
    }

    private mutating func keep(_ path: String, _ failure: Failure) {
        if problems.count < Self.mostProblems { problems.append(Problem(path: path, failure: failure)) }
    }

    /// Nil when everything asked for was delivered as it was.
    package var failure: Failure? {
        guard lost + attributesLost > 0 else { return nil }
        var parts: [String] = []
        if lost > 0 { parts.append("\(lost.counted("was", "were")) not delivered") }
        if attributesLost > 0 {
            let what = attributesLost.counted("owner, mode or attribute", "owners, modes or attributes")
            parts.append("\(what) could not be set")
        }
        let first = problems.prefix(3).map(\.description).joined(separator: "; ")
        return Failure(
            .partial, "restored \(files.counted("file", "files")); \(parts.joined(separator: " and ")): \(first)",
            advice: advice)
    }

    private var advice: String {
        guard lost > 0 else { return "The content is right. Restore as root to set what only root can" }
        var advice = ["No file was left with wrong bytes"]
        if hindered > 0 { advice.append("Move away what stands in the way, or restore elsewhere") }
        if lost > hindered {
            advice.append("Name the other vault with --also, or restore from another snapshot what was not delivered")
        }
        return advice.joined(separator: ". ")
    }
}
