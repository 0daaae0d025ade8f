internal import CLinux
package import Glibc

/// An open file, owned: closed when it goes out of scope, whatever happens. Calls are retried when a signal interrupts
/// them and completed when the kernel does less than asked.
///
/// A file that was written is closed by `close()`, which reports what a silent close would swallow.
package struct Descriptor: ~Copyable, Sendable {
    /// For calls that this type has no word for; still owned by it.
    package private(set) var number: Int32
    /// What failures call it.
    package let label: String

    /// Takes over a descriptor that somebody else opened.
    package init(owning number: Int32, label: String) {
        self.number = number
        self.label = label
    }

    deinit {
        if number >= 0 { _ = Glibc.close(number) }
    }

    // MARK: - Opening

    /// A path given by a person: its bytes are taken as they are, and symbolic links in it are followed. `flags` as for
    /// open(2); `O_CLOEXEC` is always added.
    package static func open(_ path: [UInt8], _ flags: Int32, mode: mode_t = 0o600) throws(Failure) -> Descriptor {
        let label = String(decoding: path, as: UTF8.self)
        let number = try retrying("cannot open \(label)") {
            unsafe Name.with(path) { unsafe Glibc.open($0, flags | O_CLOEXEC, mode) }
        }
        return Descriptor(owning: number, label: label)
    }

    package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws(Failure) -> Descriptor {
        try open(Array(path.utf8), flags, mode: mode)
    }

    package consuming func close() throws(Failure) {
        // Never retried: Linux frees the number even when the call is interrupted.
        let result = Glibc.close(number)
        number = -1
        if result != 0 && errno != EINTR { throw .system(errno, "cannot close \(label)") }
    }

    // MARK: - Reading

    /// Reads on from the current place until the buffer is full or the file ends; the number of bytes read.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        try complete("cannot read", buffer.count) { done in
            unsafe Glibc.read(number, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done)
        }
    }

    /// Reads from `offset` until the buffer is full or the file ends; the number of bytes read.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) -> Int {
        try complete("cannot read", buffer.count) { done in
            unsafe pread(
                number, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done, Self.place(offset, done))
        }
    }

    /// Fills the array from `offset` on as far as the file goes; how far that is.
    package func fill(_ bytes: inout [UInt8], at offset: UInt64) throws(Failure) -> Int {
        var outcome: Result<Int, Failure> = .success(0)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(Failure) {
                outcome = .success(try unsafe read(into: buffer, at: offset))
            } catch { outcome = .failure(error) }
        }
        return try outcome.get()
    }

    /// At most the next `limit` bytes, in one call: for pipes and sockets. Empty at the end.
    package func readSome(limit: Int) throws(Failure) -> [UInt8] {
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(Failure) {
                count = Int(
                    try Self.retrying("cannot read \(label)") { unsafe Glibc.read(number, buffer.baseAddress, limit) })
            } catch { problem = error }
        }
        if let problem { throw problem }
        return bytes
    }

    // MARK: - Writing

    /// Writes all of it at the current place.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        let written = try complete("cannot write", bytes.count) { done in
            unsafe Glibc.write(number, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done)
        }
        if written < bytes.count { throw Failure(.failed, "cannot write \(label): the file takes no more") }
    }

    /// Writes all of it at `offset`.
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        let written = try complete("cannot write", bytes.count) { done in
            unsafe pwrite(
                number, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done, Self.place(offset, done))
        }
        if written < bytes.count { throw Failure(.failed, "cannot write \(label): the file takes no more") }
    }

    package func write(_ bytes: [UInt8]) throws(Failure) {
        var problem: Failure?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Failure) { unsafe try write(buffer) } catch { problem = error }
        }
        if let problem { throw problem }
    }

    /// Until content and attributes are on the disk. A failure means that what was written before may be lost, and
    /// trying again proves nothing: Linux reports it once.
    package func sync() throws(Failure) {
        _ = try Self.retrying("cannot sync \(label)") { fsync(number) }
    }

    package func truncate(to length: UInt64) throws(Failure) {
        _ = try Self.retrying("cannot set the length of \(label)") { ftruncate(number, Self.place(length)) }
    }

    // MARK: - Shape

    package func status() throws(Failure) -> stat {
        var status = stat()
        _ = try Self.retrying("cannot look at \(label)") { unsafe fstat(number, &status) }
        return status
    }

    /// The length of the file; of a block device, its capacity.
    package func size() throws(Failure) -> UInt64 {
        let status = try status()
        guard status.st_mode & S_IFMT == S_IFBLK else { return UInt64(clamping: status.st_size) }
        let end = try Self.retrying("cannot measure \(label)") { lseek(number, 0, SEEK_END) }
        return UInt64(clamping: end)
    }

    /// The first byte at or after `offset` that is not in a hole; nil when only a hole, or nothing, is left.
    package func seekData(from offset: UInt64) throws(Failure) -> UInt64? {
        try seek(from: offset, linux_seek_data)
    }

    /// The first byte at or after `offset` that lies in a hole, counting the end of the file as one; nil past the end.
    package func seekHole(from offset: UInt64) throws(Failure) -> UInt64? {
        try seek(from: offset, linux_seek_hole)
    }

    private func seek(from offset: UInt64, _ whence: Int32) throws(Failure) -> UInt64? {
        let place = lseek(number, Self.place(offset), whence)
        if place >= 0 { return UInt64(place) }
        if errno == ENXIO { return nil }
        throw .system(errno, "cannot find the holes of \(label)")
    }

    // MARK: - Retrying

    /// An offset that Linux cannot have comes out negative, and is refused by the call as it should be.
    private static func place(_ offset: UInt64, _ done: Int = 0) -> off_t {
        off_t(truncatingIfNeeded: offset &+ UInt64(done))
    }

    private static func retrying<Result: SignedInteger>(
        _ what: @autoclosure () -> String, _ call: () -> Result
    ) throws(Failure) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            let number = errno
            if number != EINTR { throw .system(number, what()) }
        }
    }

    /// Repeats `call(done)` until `count` bytes are done or it does none.
    private func complete(_ what: String, _ count: Int, _ call: (Int) -> Int) throws(Failure) -> Int {
        var done = 0
        while done < count {
            let step = try Self.retrying("\(what) \(label)") { call(done) }
            if step == 0 { break }
            done += step
        }
        return done
    }
}

extension Directory {
    /// A file below this directory; symbolic links are not followed. `path` may have several components.
    package func file(_ path: [UInt8], _ flags: Int32, mode: UInt32 = 0o600) throws(Failure) -> Descriptor {
        Descriptor(owning: try openBeneath(path, flags: flags, mode: mode), label: describe(path))
    }
}
