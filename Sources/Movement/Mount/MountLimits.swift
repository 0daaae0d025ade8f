/// How much a mount keeps in memory.
package struct MountLimits: Sendable {
    /// Of opened frames of packs.
    package var frameBytes = 48 << 20
    /// Of chunks, which are what programs read pieces of.
    package var chunkBytes = 24 << 20
    /// Files that the kernel holds before it is asked to forget some; directories are not counted against it.
    package var nodes = 1 << 16
    /// Threads that answer.
    package var workers = 4

    package init() {}
}
