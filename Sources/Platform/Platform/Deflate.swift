internal import CZlib

/// Decompression of raw deflate (RFC 1951) by zlib: as images of disks hold it. Breakwater itself compresses by zstd.
package enum Deflate {
    /// The window that whoever compressed may have used, as a power of two; negative: no header and no checksum.
    private static let window: Int32 = -15

    /// Decompresses the beginning of `source` until `destination` is full.
    /// - Returns: how many bytes of `source` that took.
    /// - Throws: `.damaged` when it ends before, or is no deflate.
    package static func decompress(
        _ source: UnsafeRawBufferPointer, filling destination: UnsafeMutableRawBufferPointer
    ) throws(Failure) -> Int {
        var stream = unsafe z_stream()
        let begun = unsafe inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard begun == Z_OK else { throw Failure(.failed, "zlib cannot begin (\(begun))") }
        defer { unsafe inflateEnd(&stream) }
        unsafe stream.next_in = source.bindMemory(to: UInt8.self).baseAddress
        unsafe stream.avail_in = UInt32(clamping: source.count)
        unsafe stream.next_out = destination.bindMemory(to: UInt8.self).baseAddress
        unsafe stream.avail_out = UInt32(clamping: destination.count)
        let result = unsafe inflate(&stream, Z_FINISH)
        guard unsafe stream.avail_out == 0, [Z_STREAM_END, Z_BUF_ERROR, Z_OK].contains(result) else {
            throw Failure(.damaged, "\(source.count) compressed bytes do not decompress into \(destination.count)")
        }
        return unsafe source.count - Int(stream.avail_in)
    }
}
