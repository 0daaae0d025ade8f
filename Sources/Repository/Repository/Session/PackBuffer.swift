internal import Platform

/// Memory for one pack, allocated once and used again: sealed frames are written straight into it.
///
/// Handed from thread to thread, used by one at a time.
@safe final class PackBuffer: @unchecked Sendable {
    let capacity: Int
    private let base: UnsafeMutableRawPointer
    private(set) var count = 0

    init(capacity: Int) {
        self.capacity = capacity
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    }

    deinit { unsafe base.deallocate() }

    func clear() { count = 0 }

    /// The next `length` bytes, to be written by the caller.
    func extend(by length: Int) -> UnsafeMutableRawBufferPointer {
        precondition(count + length <= capacity, "a pack past its buffer")
        defer { count += length }
        return unsafe UnsafeMutableRawBufferPointer(start: base + count, count: length)
    }

    func append(_ bytes: [UInt8]) { unsafe extend(by: bytes.count).copyBytes(from: bytes) }

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: count) }
}
