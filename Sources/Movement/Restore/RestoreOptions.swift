package import Platform

/// How a tree is restored.
package struct RestoreOptions: Sendable {
    /// What becomes of a file that stands where one is to be restored.
    package enum Existing: Sendable {
        /// Nothing is restored at all when any of what was asked for stands already, unless it is an empty directory.
        case refuse
        /// A file of the same size and time stays; another one is replaced, at once and whole. Directories are
        /// merged. Goes on where an interrupted restore stopped.
        case update
    }

    /// What to restore, by the paths as they were at the backup; everything when empty.
    package var include: [AbsolutePath] = []
    package var existing = Existing.refuse
    /// Threads that fetch, open and write.
    package var workers = 2
    /// Called after every chunk written, from several threads, with what was done so far. What it throws ends the
    /// restore: that is how one is cancelled.
    package var watch: (@Sendable (RestoreProgress) throws -> Void)?

    package init() {}
}

/// How far a restore has come.
package struct RestoreProgress: Sendable, Equatable {
    package var files: UInt64 = 0
    package var bytes: UInt64 = 0
    package init() {}
}
