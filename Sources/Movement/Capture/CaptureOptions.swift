package import Platform

/// How a tree is captured.
package struct CaptureOptions: Sendable {
    /// Stay on the file systems of the paths that were named; a mount point becomes an empty directory.
    package var oneFileSystem = false
    /// Directories that are left out, whatever leads to them: the vault itself, when it lies in what is captured.
    package var leaveOut: [AbsolutePath] = []
    /// Called after every file and every few MiB of a large one, with what was done so far. What it throws ends the
    /// capture: that is how one is cancelled.
    package var watch: (@Sendable (CaptureReport) throws -> Void)?
    /// What earlier captures of these files stored; nil to read everything.
    package var memory: FileMemory?

    package init() {}
}
