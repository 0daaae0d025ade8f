internal import CLinux

/// The heap of this process, as the C library keeps it.
package enum Heap {
    /// Gives freed memory back to the system early: for programs that hold a bounded amount for a long time.
    package static func keepSmall() { linux_keep_heap_small() }
}
