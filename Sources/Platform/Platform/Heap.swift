internal import CLinux

/// The heap of this process, as the C library keeps it.
package enum Heap {
    /// Gives freed memory back to the system early: for programs that hold a bounded amount for a long time.
    package static func keepSmall() { linux_keep_heap_small() }

    /// Keeps freed memory for what comes next: for programs that work through buffers of a few MiB and then end. Giving
    /// each back and taking it again from the system was a tenth of a restore.
    package static func keepFreed() { linux_keep_freed_heap() }
}
