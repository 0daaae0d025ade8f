package import Platform

/// How a tree is captured.
package struct CaptureOptions: Sendable {
    /// Stay on the file systems of the paths that were named; a mount point becomes an empty directory.
    package var oneFileSystem = false
    /// Directories that are left out, whatever leads to them: the vault itself, when it lies in what is captured.
    package var leaveOut: [AbsolutePath] = []
    /// What is left out besides, by patterns that stand at each of the paths that were named. `.breakwaterignore` files
    /// say so of their own directories.
    package var exclude = ExcludeList()
    /// Of a directory that is tagged as a cache, keep the directory and its tag and leave out the rest.
    package var excludeCaches = false
    /// Called after every file and every few MiB of a large one, with what was done so far. What it throws ends the
    /// capture: that is how one is cancelled.
    package var watch: (@Sendable (CaptureReport) throws -> Void)?
    /// What earlier captures of these files stored; nil to read everything.
    package var memory: FileMemory?
    /// Names of one directory that are held at a time: a larger one is read several times over.
    package var namesAtOnce = 131_072

    package init() {}
}
