package import Platform

/// How far a job has come, as its agent last said.
package struct JobProgress: Hashable, Sendable, Codable, Checked {
    package enum Stage: String, Sendable, Codable {
        case preparing, reading, copying, writing, verifying, starting, probing, finishing
    }

    package var stage: Stage
    /// Bytes dealt with so far, and to be dealt with where that is known.
    package var done: UInt64
    package var total: UInt64?
    /// Bytes that really went into a vault or over the line.
    package var stored: UInt64
    package var files: UInt64

    package init(stage: Stage, done: UInt64 = 0, total: UInt64? = nil, stored: UInt64 = 0, files: UInt64 = 0) {
        self.stage = stage
        self.done = done
        self.total = total
        self.stored = stored
        self.files = files
    }

    package func check() throws(Failure) {
        // SQLite and most readers of JSON know signed numbers only.
        for number in [done, total ?? 0, stored, files] where number > UInt64(Int64.max) {
            throw Failure(.usage, "A figure of progress is too large")
        }
    }
}
